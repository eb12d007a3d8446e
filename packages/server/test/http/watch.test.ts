import { connect } from "node:net";
import { eventually } from "@meshkv/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call, type HttpTestServer, startHttpTestServer } from "./http-server.ts";

let http: HttpTestServer;
beforeAll(async () => {
  http = await startHttpTestServer();
});
afterAll(() => http.stop());

interface Event {
  readonly name: string;
  readonly id: string;
  readonly data: string;
}

/** Reads server-sent events as a browser does: the id stays until another comes. */
class EventReader {
  readonly events: Event[] = [];
  lastId = "";
  comments = 0;
  readonly #abort = new AbortController();

  async open(path: string, headers: Record<string, string> = {}): Promise<Response> {
    const response = await fetch(`${http.base}${path}`, { headers, signal: this.#abort.signal });
    void this.#read(response).catch(() => undefined);
    return response;
  }

  close(): void {
    this.#abort.abort();
  }

  async #read(response: Response): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        this.#dispatch(text.slice(0, end).split("\n"));
        text = text.slice(end + 2);
      }
    }
  }

  #dispatch(lines: readonly string[]): void {
    const field = (name: string) =>
      lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    if (lines.some((line) => line.startsWith(":"))) this.comments += 1;
    this.lastId = field("id") ?? this.lastId;
    const data = field("data");
    if (data !== undefined) this.events.push({ name: field("event") ?? "message", id: this.lastId, data });
  }

  async count(many: number): Promise<readonly Event[]> {
    await eventually(`${many} events`, () => {
      if (this.events.length < many)
        throw new Error(`${this.events.length} events: ${JSON.stringify(this.events)}`);
    });
    return this.events;
  }
}

const put = (key: string, value: string) => call(http.base, `/v1/kv/${key}`, { method: "PUT", body: value });
const valueOf = ({ data }: Event) => (JSON.parse(data) as { entry?: { value?: string } }).entry?.value;

describe("a watch", () => {
  it("tells the state, then changes, and goes on where it was", async () => {
    await put("w/1", "one");
    const first = new EventReader();
    const response = await first.open("/v1/watch?prefix=w/&initial&previous");
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    expect((await first.count(2)).map(({ name }) => name)).toEqual(["put", "synced"]);
    await put("w/1", "two");
    await put("elsewhere", "x");
    await call(http.base, "/v1/kv/w/1", { method: "DELETE" });
    const seen = await first.count(4);
    expect(seen.map(({ name }) => name)).toEqual(["put", "synced", "put", "delete"]);
    expect(JSON.parse(seen[2]?.data ?? "")).toMatchObject({
      entry: { value: "two" },
      previous: { value: "one" },
    });
    first.close();

    await put("w/2", "while nobody looked");
    const second = new EventReader();
    // A browser comes back to the same URL, `initial` and all.
    await second.open("/v1/watch?prefix=w/&initial", { "last-event-id": seen[3]?.id ?? "" });
    const [missed] = (await second.count(1)).filter(({ name }) => name === "put");
    expect(missed && valueOf(missed)).toBe("while nobody looked");
    second.close();
  });

  it("refuses before it begins", async () => {
    const refused = async (query: string, headers = {}) =>
      (await call(http.base, `/v1/watch${query}`, { headers })).json;
    expect(await refused("?key=a&prefix=b")).toMatchObject({
      status: 422,
      errors: [{ loc: ["query", "key"] }],
    });
    expect(await refused("?key=")).toMatchObject({ status: 422 });
    expect(await refused("", { "last-event-id": "nonsense" })).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("holds nothing back for who does not read, and ends with the connection", async () => {
    const { hostname, port } = new URL(http.base);
    const lazy = connect({ host: hostname, port: Number(port) });
    lazy.write(`GET /v1/watch?prefix=lazy/ HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
    lazy.pause();
    const watchers = async () => {
      const { text } = await call(http.base, "/metrics");
      return Number(/^meshkv_watchers (\d+)/m.exec(text)?.[1]);
    };
    await eventually("it watches", async () => expect(await watchers()).toBe(1));
    const large = "v".repeat(512 * 1024);
    for (let index = 0; index < 60; index += 1)
      expect((await put(`lazy/${index % 3}`, large)).status).toBeLessThan(300);
    lazy.destroy();
    await eventually("it is gone", async () => expect(await watchers()).toBe(0));
  });

  it("tells that the server stops", async () => {
    const other = await startHttpTestServer();
    const response = await fetch(`${other.base}/v1/watch`);
    const text = response.text();
    await other.stop();
    expect(await text).toContain('"code":"UNAVAILABLE"');
  });
});
