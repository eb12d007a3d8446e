/** Whatever somebody types: a valid configuration, or a named error. */
import { MeshkvError } from "@meshkv/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "./address.ts";
import { loadConfig } from "./load-config.ts";
import { SETTING_SOURCES } from "./setting-sources.ts";
import { formatDuration, formatSize, parseDuration, parseSize } from "./units.ts";

const ANY = { min: 0, max: Number.MAX_SAFE_INTEGER };

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: fc.constantFrom("1", "0", ".", ":", "[", "]", "a", "-", "%", "/", " ") }),
  fc.constantFrom("127.0.0.1:4001", "[::1]:1", "1MiB", "7d", "true", "0", "local", "shop"),
);

describe("notations", () => {
  it("read what they write", () => {
    fc.assert(
      fc.property(text, (given) => {
        const first = parseAddress(given);
        const again = "address" in first ? parseAddress(formatAddress(first.address)) : first;
        expect(again).toEqual(first);
      }),
    );
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 45 }), (value) => {
        expect(parseDuration(formatDuration(value), ANY)).toEqual({ value });
        expect(parseSize(formatSize(value), ANY)).toEqual({ value });
      }),
    );
  });
});

describe("loadConfig", () => {
  it("finds a valid configuration or names what is wrong", async () => {
    const variables = Object.values(SETTING_SOURCES).map(({ variable }) => variable);
    const environments = fc.dictionary(fc.constantFrom(...variables), text, { maxKeys: 4 });
    await fc.assert(
      fc.asyncProperty(environments, fc.array(text, { maxLength: 3 }), async (environment, peers) => {
        const outcome = await loadConfig({ flags: { peers }, environment }).catch((error: unknown) => error);
        const isNamed = outcome instanceof MeshkvError && outcome.code === "INVALID_ARGUMENT";
        const lines = isNamed ? outcome.message.split("\n") : [];
        expect(isNamed || (outcome instanceof Object && "config" in outcome)).toBe(true);
        for (const line of lines) expect(line).toMatch(/^(peer|--ip|MESHKV_[A-Z_]+|default)[ :]/);
      }),
    );
  });
});
