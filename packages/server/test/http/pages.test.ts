import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call, type HttpTestServer, startHttpTestServer } from "./http-server.ts";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
/** Where pictures of the pages are put; nowhere without it. */
const PICTURES = process.env["MESHKV_PICTURES"];
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** Two viewers of half a megabyte each, on a machine that does other things. */
const PATIENCE_MS = 90_000;

let http: HttpTestServer;
beforeAll(async () => {
  http = await startHttpTestServer();
});
afterAll(() => http.stop());

describe("the pages", () => {
  it.each(["/", "/docs", "/redoc"])(
    "%s name nothing of another server, and carry no script",
    async (path) => {
      const { status, text, headers } = await call(http.base, path);
      expect(status).toBe(200);
      expect(headers.get("content-security-policy")).toContain("script-src 'self'");
      expect(text.replaceAll(http.base, "")).not.toMatch(/(src|href)="(https?:)?\/\//);
      expect(text).not.toMatch(/<script>|<script [^>]*>[^<]|\son\w+=/);
    },
  );

  it("have every asset that they name", async () => {
    for (const page of ["/", "/docs", "/redoc"]) {
      const { text } = await call(http.base, page);
      for (const [, path = ""] of text.matchAll(/(?:src|href)="([^"#]+)"/g)) {
        expect([path, (await call(http.base, path)).status]).toEqual([path, 200]);
      }
    }
  });

  it("do not believe the Host header", async () => {
    const { text } = await call(http.base, "/");
    expect(text).toContain(`curl ${http.base}/v1/kv/greeting`);
  });
});

const skipped = existsSync(CHROMIUM) ? false : `skipped: no browser at ${CHROMIUM} (CHROMIUM names another)`;
if (skipped !== false) process.stderr.write(`packages/server/test/http/pages.test.ts: ${skipped}\n`);

describe.skipIf(skipped !== false)("in a browser", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS, timeout: PATIENCE_MS });
  }, PATIENCE_MS);
  afterAll(() => browser.close());

  /** Opens a page, and collects what it should not do. */
  async function open(path: string): Promise<{ page: Page; wrong: string[] }> {
    const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
    page.setDefaultTimeout(PATIENCE_MS);
    const wrong: string[] = [];
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(http.base) && !/^(data|blob):/.test(url)) wrong.push(`asked for ${url}`);
    });
    page.on("console", (message) => {
      if (message.type() === "error") wrong.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
    await page.goto(`${http.base}${path}`);
    return { page, wrong };
  }

  async function picture(page: Page, name: string): Promise<void> {
    if (PICTURES === undefined) return;
    await mkdir(PICTURES, { recursive: true });
    await page.screenshot({ path: join(PICTURES, `${name}.png`) });
  }

  it(
    "/docs shows every call, and PUT, then GET, work from there",
    async () => {
      const { page, wrong } = await open("/docs");
      await page.locator(".opblock").first().waitFor();
      const { paths } = (await call(http.base, "/openapi.json")).json as { paths: Record<string, object> };
      const calls = Object.values(paths).flatMap((path) => Object.keys(path));
      expect(await page.locator(".opblock").count()).toBe(calls.length);
      await picture(page, "docs");

      const put = page.locator("#operations-Keys-putKey");
      await put.locator(".opblock-summary").click();
      await put.locator('tr[data-param-name="key"] input').fill("from/the page");
      await put.locator("textarea.body-param__text").fill("tried from the page");
      await put.getByRole("button", { name: "Execute" }).click();
      await put.locator(".live-responses-table .response-col_status", { hasText: "201" }).waitFor();
      expect((await call(http.base, "/v1/kv/from%2Fthe%20page")).text).toBe("tried from the page");

      const get = page.locator("#operations-Keys-getKey");
      await get.locator(".opblock-summary").click();
      await get.locator('tr[data-param-name="key"] input').fill("from/the page");
      await get.getByRole("button", { name: "Execute" }).click();
      await get.locator(".live-responses-table", { hasText: "tried from the page" }).waitFor();
      await get.locator(".live-responses-table").scrollIntoViewIfNeeded();
      await picture(page, "docs-tried");
      expect(wrong).toEqual([]);
    },
    PATIENCE_MS,
  );

  it.each([
    ["/redoc", "Write a key"],
    ["/", "full, writable peer"],
  ])(
    "%s can be read",
    async (path, text) => {
      const { page, wrong } = await open(path);
      await page.locator("h1, h2, p", { hasText: text }).first().waitFor();
      // What it draws later should be as right as what it draws first.
      await page.waitForLoadState("networkidle");
      await picture(page, path === "/" ? "home" : "redoc");
      expect(wrong).toEqual([]);
    },
    PATIENCE_MS,
  );
});
