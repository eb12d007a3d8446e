import { describe, expect, it } from "vitest";
import { parseSeed, resolveSeeds } from "./addresses.ts";

describe("addresses", () => {
  it.each([
    ["127.0.0.1:4000", { kind: "address", address: "127.0.0.1:4000" }],
    ["[::1]:4000", { kind: "address", address: "[::1]:4000" }],
    ["[fe80::1%eth0]:4000", { kind: "address", address: "[fe80::1%eth0]:4000" }],
    ["replica.example:1", { kind: "address", address: "replica.example:1" }],
    ["dns:///mesh.example:4000", { kind: "name", host: "mesh.example", port: 4000 }],
  ])("%s is understood", (text, seed) => {
    expect(parseSeed(text)).toEqual(seed);
  });

  it.each([
    "",
    "127.0.0.1",
    ":4000",
    "a:0",
    "a:65536",
    "a:b",
    "http://a:4000",
    "::1:4000",
    "[::1%]:4000",
    "dns:///a",
    "a b:1",
  ])("%j is refused", (text) => {
    expect(() => parseSeed(text)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("of names are looked up, each once; what cannot be resolved is none", async () => {
    const seeds = ["dns:///mesh:1", "10.0.0.1:1", "dns:///lost:1"].map(parseSeed);
    const resolve = (host: string): Promise<string[]> =>
      host === "mesh" ? Promise.resolve(["10.0.0.1", "fd00::2"]) : Promise.reject(new Error("no such host"));
    expect(await resolveSeeds(seeds, resolve)).toEqual(["10.0.0.1:1", "[fd00::2]:1"]);
  });

  it("of names are looked up by the system when nothing else is said", async () => {
    const found = await resolveSeeds([parseSeed("dns:///localhost:1")]);
    expect(found).toEqual(expect.arrayContaining([expect.stringMatching(/^(127\.0\.0\.1|\[::1\]):1$/)]));
  });
});
