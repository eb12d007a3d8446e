import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call, type HttpTestServer, startHttpTestServer } from "./http-server.ts";

const ENTRY_TYPE = "application/vnd.meshkv.entry+json";

let http: HttpTestServer;
beforeAll(async () => {
  http = await startHttpTestServer();
});
afterAll(() => http.stop());

const put = (path: string, body: NonNullable<RequestInit["body"]>, headers: Record<string, string> = {}) =>
  call(http.base, path, { method: "PUT", body, headers });
const get = (path: string, headers: Record<string, string> = {}) => call(http.base, path, { headers });

/** Sends a path byte by byte as it is. */
function rawStatus(method: string, path: string, body = ""): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(http.base);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method }, (response) => {
      let text = "";
      response.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

describe("a value", () => {
  it("comes back byte by byte, whatever its content type", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    expect((await put("/v1/kv/bytes", bytes, { "content-type": "application/json" })).status).toBe(201);
    const response = await fetch(`${http.base}/v1/kv/bytes`, {
      headers: { accept: "application/json, */*" },
    });
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
    expect(response.headers.get("content-type")).toBe("application/octet-stream");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("may be empty", async () => {
    expect((await call(http.base, "/v1/kv/empty", { method: "PUT" })).status).toBe(201);
    const { status, text } = await get("/v1/kv/empty");
    expect([status, text]).toEqual([200, ""]);
  });

  it("is 201 at first and 200 then, with its version as ETag", async () => {
    const first = await put("/v1/kv/twice", "1");
    const second = await put("/v1/kv/twice", "2");
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.headers.get("etag")).toBe(`"${String(second.json["version"])}"`);
    expect((await get("/v1/kv/twice")).headers.get("etag")).toBe(second.headers.get("etag"));
  });

  it("shows text as text and bytes as base64 in an envelope, and takes both back", async () => {
    await put("/v1/kv/text", "grüße");
    await put("/v1/kv/blob", Uint8Array.of(0xff, 0xfe));
    const accept = { accept: ENTRY_TYPE };
    const text = (await get("/v1/kv/text", accept)).json;
    expect(text).toMatchObject({ key: "text", value: "grüße", encoding: "utf8", conflicts: 0 });
    const blob = (await get("/v1/kv/blob", accept)).json;
    expect(blob).toMatchObject({ value: "//4=", encoding: "base64" });
    expect((await put("/v1/kv/text", JSON.stringify(text), { "content-type": ENTRY_TYPE })).status).toBe(200);
    await put("/v1/kv/copy", JSON.stringify({ ...blob, key: "copy" }), { "content-type": ENTRY_TYPE });
    expect((await get("/v1/kv/copy", accept)).json).toMatchObject({ value: "//4=", encoding: "base64" });
  });

  it("tells what is wrong with an envelope", async () => {
    const send = async (body: string) => (await put("/v1/kv/e", body, { "content-type": ENTRY_TYPE })).json;
    expect(await send("{")).toMatchObject({ status: 422, errors: [{ loc: ["body"], type: "json_invalid" }] });
    expect(await send("{}")).toMatchObject({ errors: [{ loc: ["body", "value"], type: "missing" }] });
    expect(await send('{"value":1}')).toMatchObject({
      errors: [{ loc: ["body", "value"], type: "string_type" }],
    });
    expect(await send('{"value":"a","valeu":1}')).toMatchObject({ errors: [{ type: "extra_forbidden" }] });
    expect(await send('{"value":"_","encoding":"base64"}')).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await send('{"value":"","key":"other"}')).toMatchObject({ errors: [{ loc: ["body", "key"] }] });
    expect(await send('{"value":"\\ud800"}')).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("lives as long as it was told", async () => {
    await put("/v1/kv/short?ttl=1h", "x");
    const at = Date.parse((await get("/v1/kv/short")).headers.get("meshkv-expire-time") ?? "");
    expect(Math.abs(at - Date.now() - 3_600_000)).toBeLessThan(60_000);
    expect((await put("/v1/kv/short?ttl=1w", "x")).json).toMatchObject({
      status: 422,
      errors: [{ loc: ["query", "ttl"], type: "value_error" }],
    });
  });
});

describe("conditions", () => {
  it("hold or not, on PUT and DELETE", async () => {
    const { headers } = await put("/v1/kv/c", "1", { "if-none-match": "*" });
    const tag = headers.get("etag") ?? "";
    const taken = await put("/v1/kv/c", "2", { "if-none-match": "*" });
    expect(taken.status).toBe(412);
    expect(taken.json).toMatchObject({ code: "CONDITION_FAILED", version: tag.slice(1, -1) });
    expect(taken.headers.get("etag")).toBe(tag);
    expect((await put("/v1/kv/c", "2", { "if-match": tag })).status).toBe(200);
    expect((await put("/v1/kv/c", "3", { "if-match": tag })).status).toBe(412);
    expect((await put("/v1/kv/nothing", "3", { "if-match": "*" })).status).toBe(412);
    const drop = (tagged: string) =>
      call(http.base, "/v1/kv/c", { method: "DELETE", headers: { "if-match": tagged } });
    expect((await drop(tag)).status).toBe(412);
    expect((await drop("*")).status).toBe(200);
  });

  it.each([
    { "if-match": "1" },
    { "if-match": '"1", "2"' },
    { "if-none-match": '"1"' },
    { "if-match": '"xyz"' },
  ])("%o is no condition", async (headers) => {
    expect((await put("/v1/kv/c", "1", headers as Record<string, string>)).status).toBe(422);
  });

  it("spare a client what it has", async () => {
    const tag = (await put("/v1/kv/cached", "1")).headers.get("etag") ?? "";
    for (const known of [tag, `W/${tag}`, `"other", ${tag}`]) {
      const { status, text } = await get("/v1/kv/cached", { "if-none-match": known });
      expect([status, text]).toEqual([304, ""]);
    }
    expect((await get("/v1/kv/cached", { "if-none-match": '"other"' })).status).toBe(200);
  });
});

describe("a key", () => {
  it.each([
    ["/v1/kv/a/b/c", "YS9iL2M"],
    ["/v1/kv/a%2Fb%2fd", "YS9iL2Q"],
    ["/v1/kv/%FF%00%fe", "_wD-"],
    ["/v1/kv/..", "Li4"],
    ["/v1/kv/a//b", "YS8vYg"],
    ["/v1/kv/gr%C3%BC%C3%9Fe+%20%25", "Z3LDvMOfZSsgJQ"],
    ["/v1/kv/a?ttl=1h", "YQ"],
  ])("of any bytes is reached: %s", async (path, key64) => {
    expect((await rawStatus("PUT", path, path)).status).toBe(201);
    expect((await rawStatus("GET", `/v1/kv64/${key64}`)).body).toBe(path);
    expect((await rawStatus("DELETE", `/v1/kv64/${key64}`)).status).toBe(200);
    expect((await rawStatus("GET", path.split("?")[0] ?? "")).status).toBe(404);
  });

  it("has its length", async () => {
    expect((await rawStatus("PUT", `/v1/kv/${"k".repeat(1024)}`, "1")).status).toBe(201);
    expect((await rawStatus("PUT", `/v1/kv/${"k".repeat(1025)}`, "1")).status).toBe(413);
    expect((await rawStatus("PUT", "/v1/kv/", "1")).status).toBe(422);
    expect((await rawStatus("PUT", "/v1/kv/%zz", "1")).status).toBe(422);
    expect((await rawStatus("PUT", "/v1/kv64/a+b", "1")).status).toBe(422);
    expect((await rawStatus("GET", `/v1/kv/${"k".repeat(20_000)}`)).status).toBe(431);
  });

  it("that is missing is a problem to read and none to delete", async () => {
    const missing = await get("/v1/kv/missing");
    expect(missing.status).toBe(404);
    expect(missing.headers.get("content-type")).toContain("application/problem+json");
    expect(missing.json).toMatchObject({ code: "NOT_FOUND", status: 404, title: "Not Found" });
    const deleted = await call(http.base, "/v1/kv/missing", { method: "DELETE" });
    expect([deleted.status, deleted.json["deleted"]]).toEqual([200, 0]);
  });
});

describe("sessions and repetitions", () => {
  it("carry what was seen from answer to request", async () => {
    const session = (await put("/v1/kv/s", "1")).headers.get("meshkv-session") ?? "";
    expect(session).not.toBe("");
    const read = await get("/v1/kv/s", { "meshkv-session": session });
    expect(read.status).toBe(200);
    expect(read.headers.get("meshkv-session")).not.toBeNull();
    expect((await get("/v1/kv/s", { "meshkv-session": "nonsense" })).json).toMatchObject({
      status: 422,
      errors: [{ loc: ["header", "Meshkv-Session"] }],
    });
  });

  it("write once under one Idempotency-Key", async () => {
    const headers = { "idempotency-key": "once-1" };
    const first = await put("/v1/kv/once", "1", headers);
    const again = await put("/v1/kv/once", "1", headers);
    expect(again.json["version"]).toBe(first.json["version"]);
    expect((await put("/v1/kv/once", "2", headers)).status).toBe(422);
  });

  it("wait for no longer than they were told", async () => {
    const { status, json } = await put("/v1/kv/far?concern=2&timeout=300ms", "1");
    expect(status).toBe(504);
    expect(json).toMatchObject({ code: "CONCERN_NOT_MET" });
    expect((await get("/v1/kv/far")).text).toBe("1");
    expect((await put("/v1/kv/far?concern=0", "1")).json).toMatchObject({
      errors: [{ loc: ["query", "concern"] }],
    });
  });
});

describe("methods", () => {
  it("are answered as HTTP has it", async () => {
    await put("/v1/kv/m", "four");
    const head = await call(http.base, "/v1/kv/m", { method: "HEAD" });
    expect([head.status, head.text, head.headers.get("content-length")]).toEqual([200, "", "4"]);
    expect((await call(http.base, "/v1/kv/none", { method: "HEAD" })).status).toBe(404);
    const options = await call(http.base, "/v1/kv/m", { method: "OPTIONS" });
    expect([options.status, options.headers.get("allow")]).toEqual([204, "GET, HEAD, PUT, DELETE, OPTIONS"]);
    const patch = await call(http.base, "/v1/kv/m", { method: "PATCH", body: "1" });
    expect([patch.status, patch.json["code"]]).toEqual([405, "METHOD_NOT_ALLOWED"]);
    expect(patch.headers.get("allow")).toBe("GET, HEAD, PUT, DELETE, OPTIONS");
    expect((await call(http.base, "/v1/batch")).headers.get("allow")).toBe("POST, OPTIONS");
    expect((await call(http.base, "/v1/nowhere")).json).toMatchObject({ status: 404, code: "NOT_FOUND" });
  });
});
