import { type KeyText, keyTextFromBytes } from "@meshkv/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodePageToken, encodePageToken, type PagedQuery } from "./page-token.ts";

const bytes = fc.uint8Array({ maxLength: 20 });
const query: fc.Arbitrary<PagedQuery> = fc.record({
  prefix: bytes,
  start: bytes,
  end: bytes,
  reverse: fc.boolean(),
});
const key = fc.uint8Array({ minLength: 1, maxLength: 1024 }).map(keyTextFromBytes);
const NONE = new Uint8Array(0);
const ALL: PagedQuery = { prefix: NONE, start: NONE, end: NONE, reverse: false };

describe("page tokens", () => {
  it("say the last key again", () => {
    fc.assert(
      fc.property(query, key, (asked, last) => {
        const token = encodePageToken(asked, last);
        expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(decodePageToken(asked, token)).toEqual({ last });
      }),
    );
  });

  it("of another list are refused", () => {
    const token = encodePageToken(ALL, "a" as KeyText);
    for (const other of [
      { ...ALL, prefix: Uint8Array.of(1) },
      { ...ALL, start: Uint8Array.of(1) },
      { ...ALL, end: Uint8Array.of(1) },
      { ...ALL, reverse: true },
    ]) {
      expect(decodePageToken(other, token)).toMatchObject({
        problem: expect.stringContaining("another list"),
      });
    }
  });

  it("that are not written as a list writes them are refused", () => {
    const token = Buffer.from(encodePageToken(ALL, "a" as KeyText), "base64url");
    expect(decodePageToken(ALL, token.toString("base64"))).toHaveProperty("problem");
    expect(decodePageToken(ALL, `${token.toString("base64url")} `)).toHaveProperty("problem");
    expect(decodePageToken(ALL, "A".repeat(100_000))).toHaveProperty("problem");
  });

  it("with any bit flipped are refused", () => {
    const token = Buffer.from(encodePageToken(ALL, "key" as KeyText), "base64url");
    for (let bit = 0; bit < token.length * 8; bit += 1) {
      const flipped = Buffer.from(token);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(decodePageToken(ALL, flipped.toString("base64url"))).toHaveProperty("problem");
    }
  });

  it("out of nowhere are refused and never thrown at", () => {
    const anything = fc.oneof(
      fc.string(),
      fc.base64String(),
      fc.uint8Array().map((b) => Buffer.from(b).toString("base64url")),
    );
    fc.assert(
      fc.property(anything, (token) => {
        expect(decodePageToken(ALL, token)).toHaveProperty("problem");
      }),
    );
  });
});
