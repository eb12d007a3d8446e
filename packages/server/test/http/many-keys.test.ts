import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { call, type HttpTestServer, jsonBody, startHttpTestServer } from "./http-server.ts";

let http: HttpTestServer;
beforeAll(async () => {
  http = await startHttpTestServer();
});
afterAll(() => http.stop());
beforeEach(async () => {
  await call(http.base, "/v1/kv?prefix=&all", { method: "DELETE" });
});

const set = (key: string, value: string) => ({ op: "set", key, value });
const batch = (writes: object[], query = "") => call(http.base, `/v1/batch${query}`, jsonBody({ writes }));
const list = async (query: string) => (await call(http.base, `/v1/kv${query}`)).json;
const keysOf = (page: { readonly [name: string]: unknown }) =>
  (page["entries"] as { key: string }[]).map(({ key }) => key);

describe("a list", () => {
  it("comes page by page, in either direction, without a gap", async () => {
    await batch(Array.from({ length: 25 }, (_, index) => set(`k/${String(index).padStart(2, "0")}`, "v")));
    for (const reverse of ["", "&reverse"]) {
      const keys: string[] = [];
      let cursor = "";
      do {
        const page = await list(`?prefix=k/&limit=10${reverse}${cursor === "" ? "" : `&cursor=${cursor}`}`);
        keys.push(...keysOf(page));
        cursor = (page["cursor"] as string | undefined) ?? "";
      } while (cursor !== "");
      expect(keys).toHaveLength(25);
      expect(keys).toEqual(reverse === "" ? keys.toSorted() : keys.toSorted().toReversed());
    }
  });

  it("takes ranges of any bytes, and leaves values out", async () => {
    await batch([set("a", "1"), set("b", "2"), { ...set("/w==", "3"), keyEncoding: "base64" }]);
    expect(keysOf(await list("?start=a&end=b"))).toEqual(["a"]);
    const page = await list("?prefix=%FF&keysOnly=true");
    expect(page).toMatchObject({ entries: [{ key: "/w==", keyEncoding: "base64" }] });
    expect(page["entries"]).not.toHaveProperty("0.value");
  });

  it.each(["?limit=0", "?limit=x", "?reverse=maybe", "?cursor=nonsense", "?prefx=a", "?start=b&end=a"])(
    "refuses %s",
    async (query) => {
      const { status, json } = await call(http.base, `/v1/kv${query}`);
      expect(status).toBe(422);
      expect(json["errors"]).toMatchObject([{ loc: ["query", expect.any(String)] }]);
    },
  );
});

describe("a delete of a prefix", () => {
  it("takes every key under it, and needs one", async () => {
    await batch([set("p/1", "1"), set("p/2", "2"), set("q", "3")]);
    const remove = (query: string) => call(http.base, `/v1/kv${query}`, { method: "DELETE" });
    expect((await remove("?prefix=p/")).json).toMatchObject({ deleted: 2 });
    expect(keysOf(await list(""))).toEqual(["q"]);
    expect((await remove("")).json).toMatchObject({ status: 422, errors: [{ loc: ["query", "prefix"] }] });
    expect((await remove("?prefix=")).status).toBe(422);
  });
});

describe("a batch", () => {
  it("is written whole or not at all", async () => {
    const done = await batch([
      set("a", "1"),
      { ...set("Yg==", "Mg=="), keyEncoding: "base64", encoding: "base64" },
    ]);
    expect(done.json["versions"]).toHaveLength(2);
    expect(keysOf(await list(""))).toEqual(["a", "b"]);
    const refused = await batch([set("c", "3"), { op: "delete", key: "a", ifAbsent: true }]);
    expect(refused.json).toMatchObject({ status: 412, code: "CONDITION_FAILED", index: "1" });
    expect(keysOf(await list(""))).toEqual(["a", "b"]);
  });

  it.each<[object[], (string | number)[]]>([
    [[], ["body", "writes"]],
    [[{ op: "set", key: "a" }], ["body", "writes", 0, "value"]],
    [[{ op: "set", key: "", value: "" }], ["body", "writes", 0, "key"]],
    [
      [set("a", "1"), set("a", "2")],
      ["body", "writes", 1],
    ],
    [[{ ...set("a", "1"), ttl: "1" }], ["body", "writes", 0, "ttl"]],
    [[{ ...set("a", "1"), ifVersion: "x" }], ["body", "writes", 0, "ifVersion"]],
    [[{ ...set("a", "1"), ifAbsent: true, ifPresent: true }], ["body", "writes", 0]],
    [[{ op: "delete", key: "a", value: "" }], ["body", "writes", 0, "value"]],
    [[{ op: "get", key: "a" }], ["body", "writes", 0, "op"]],
  ])("says where it is wrong: %j", async (writes, loc) => {
    const { status, json } = await batch(writes);
    expect(status).toBe(422);
    expect(json["errors"]).toContainEqual(expect.objectContaining({ loc }));
  });

  it("is JSON and of a bounded size", async () => {
    const text = await call(http.base, "/v1/batch", { method: "POST", body: "{}" });
    expect([text.status, text.json["code"]]).toEqual([415, "UNSUPPORTED_MEDIA_TYPE"]);
    const many = await batch(Array.from({ length: 1001 }, (_, index) => set(`k${index}`, "")));
    expect([many.status, many.json["code"]]).toEqual([413, "TOO_LARGE"]);
    const large = await batch([set("k", "v".repeat(12 * 1024 * 1024))]);
    expect([large.status, large.json["code"]]).toEqual([413, "TOO_LARGE"]);
  });
});

describe("several keys", () => {
  it("are read at once, in order", async () => {
    await batch([set("a", "1"), set("c", "3")]);
    const { json } = await call(http.base, "/v1/get", jsonBody({ keys: ["c", "b", "a"] }));
    expect(json["entries"]).toMatchObject([{ key: "c", value: "3" }, null, { key: "a", value: "1" }]);
    expect((await call(http.base, "/v1/get", jsonBody({ keys: [] }))).status).toBe(422);
  });
});

describe("the mesh", () => {
  it("is described, and compared", async () => {
    const status = (await call(http.base, "/v1/mesh")).json;
    expect(status).toMatchObject({ state: "ready", members: [{ state: "self" }] });
    expect((await call(http.base, "/v1/mesh/members")).json).toMatchObject({ members: [{ state: "self" }] });
    const nobody = await call(http.base, "/v1/mesh/members/00000000000000ff", { method: "DELETE" });
    expect(nobody.json).toMatchObject({ status: 404, code: "MEMBER_NOT_FOUND" });
    const verified = await call(http.base, "/v1/mesh/verify", jsonBody({}));
    expect(verified.json).toMatchObject({ checks: [{ damagedRows: 0 }], members: [] });
    expect((await call(http.base, "/v1/conflicts")).json).toEqual({ conflicts: [] });
    const restore = await call(http.base, "/v1/conflicts/restore", jsonBody({ key: "a", version: "1" }));
    expect(restore.json).toMatchObject({ status: 422, errors: [{ loc: ["body", "version"] }] });
  });
});
