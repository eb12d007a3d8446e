import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quoteBytes, quoteText } from "./quote-bytes.ts";

describe("quoted bytes", () => {
  it.each([
    ["cart/42", '"cart/42"'],
    ["schlüssel 😀", '"schlüssel 😀"'],
    ['a"b\\', '"a\\"b\\\\"'],
    ["a\n\u001b[31m\u202e", '"a\\u{a}\\u{1b}[31m\\u{202e}"'],
    ["x".repeat(60), `"${"x".repeat(48)}…" (60 bytes)`],
    [`${"x".repeat(46)}😀${"y".repeat(9)}`, `"${"x".repeat(46)}…" (59 bytes)`],
  ])("show text %j", (text, quoted) => {
    expect(quoteBytes(new TextEncoder().encode(text))).toBe(quoted);
  });

  it("show what is no text byte by byte", () => {
    expect(quoteBytes(Uint8Array.of(0x61, 0xff, 0x00, 0x22))).toBe('"a\\xff\\x00\\x22"');
  });

  it("never let a control character through, and stay short", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const quoted = quoteBytes(bytes);
        expect(quoted).not.toMatch(/\p{C}/u);
        expect(quoted.length).toBeLessThan(500);
      }),
    );
  });

  it("take any text", () => {
    expect(quoteText("no version")).toBe('"no version"');
    expect(quoteText("\ud800")).toBe('"\ufffd"');
  });
});
