import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base64Of, bytesFromArgument, bytesFromBase64, lineTextOf } from "./byte-text.ts";

const bytes = fc.oneof(
  fc.uint8Array(),
  fc.string({ unit: "binary" }).map((text) => new TextEncoder().encode(text)),
);

/** What `lineTextOf` escaped, read again. */
function unescape(text: string): Uint8Array {
  const parts = text.match(/\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|[nrt\\])|[^\\]/gu) ?? [];
  return Buffer.concat(
    parts.map((part) => {
      if (part.startsWith("\\x")) return Buffer.from(part.slice(2), "hex");
      if (part.startsWith("\\u")) return Buffer.from(String.fromCharCode(Number.parseInt(part.slice(2), 16)));
      const plain = { "\\n": "\n", "\\r": "\r", "\\t": "\t", "\\\\": "\\" }[part];
      return Buffer.from(plain ?? part);
    }),
  );
}

describe("bytes as text", () => {
  it("come back from a line as they were, and never leave it", () => {
    fc.assert(
      fc.property(bytes, (given) => {
        const line = lineTextOf(given);
        expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        expect(Buffer.from(unescape(line)).equals(Buffer.from(given))).toBe(true);
      }),
    );
  });

  it("come back from base64 as they were, of either alphabet, padded or not", () => {
    fc.assert(
      fc.property(bytes, (given) => {
        const text = base64Of(given);
        const forms = [
          text,
          text.replaceAll("=", ""),
          text.replaceAll("+", "-").replaceAll("/", "_"),
          ` ${text}\n`,
        ];
        for (const form of forms) expect(Buffer.from(bytesFromBase64(form, "key")).equals(given)).toBe(true);
      }),
    );
  });

  it("come from arguments whole, or not at all", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        fc.pre(!text.includes("\ufffd"));
        expect(Buffer.from(bytesFromArgument(text, false, "key")).toString()).toBe(text);
      }),
    );
  });

  it("are not guessed from what is no base64", () => {
    for (const text of ["a", "a=b", "====", "ab!c", "YQ==YQ==", "YR=="]) {
      expect(() => bytesFromBase64(text, "key")).toThrow("the key is not base64");
    }
  });
});
