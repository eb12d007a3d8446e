/** The pages: what is there, and how to use it. They describe the API and are no part of it. */
import * as Type from "typebox/type";
import { type Answer, defineRoute, type Route } from "../route.ts";
import { PAGE_HEADERS } from "../security-headers.ts";
import { ASSET_NAMES, assetOf } from "./assets.ts";
import {
  DOCS_PAGE,
  DOCS_SCRIPT,
  DOCS_STYLE,
  HOME_STYLE,
  homePage,
  ICON,
  REDOC_PAGE,
  REDOC_SCRIPT,
  REDOC_STYLE,
} from "./page-texts.ts";

/** What the pages show. */
export interface PageSources {
  /** The OpenAPI document. */
  readonly document: () => object;
  readonly version: string;
}

const HTML = "text/html; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";
const STYLE = "text/css; charset=utf-8";
const SVG = "image/svg+xml";

/** Our own files, by path. */
const FILES: readonly (readonly [path: string, contentType: string, text: string])[] = [
  ["/docs", HTML, DOCS_PAGE],
  ["/redoc", HTML, REDOC_PAGE],
  ["/assets/docs.js", SCRIPT, DOCS_SCRIPT],
  ["/assets/docs.css", STYLE, DOCS_STYLE],
  ["/assets/start-redoc.js", SCRIPT, REDOC_SCRIPT],
  ["/assets/redoc.css", STYLE, REDOC_STYLE],
  ["/assets/home.css", STYLE, HOME_STYLE],
  ["/favicon.svg", SVG, ICON],
  ["/favicon.ico", SVG, ICON],
];

/** The routes of the pages. */
export function pageRoutes({ document, version }: PageSources): Route[] {
  let text: string | undefined;
  return [
    page("/", ({ headers }) => ({
      status: 200,
      headers: PAGE_HEADERS,
      contentType: HTML,
      body: homePage(version, `http://${headers.host ?? "127.0.0.1:8000"}`),
    })),
    page("/openapi.json", () => {
      text ??= JSON.stringify(document(), undefined, 2);
      return { status: 200, contentType: "application/json", body: text };
    }),
    ...FILES.map(([path, contentType, body]) =>
      page(path, () => ({ status: 200, headers: PAGE_HEADERS, contentType, body })),
    ),
    ...ASSET_NAMES.map((name) =>
      page(`/assets/${name}`, async () => {
        const asset = await assetOf(name);
        return { status: 200, headers: PAGE_HEADERS, ...asset };
      }),
    ),
  ];
}

function page(path: string, answer: Route["answer"]): Route {
  return defineRoute({
    method: "GET",
    path,
    id: path,
    tag: "Operation",
    operation: undefined,
    summary: path,
    query: Type.Object({}),
    replies: {},
    errors: [],
    answer: answer as () => Answer,
  });
}
