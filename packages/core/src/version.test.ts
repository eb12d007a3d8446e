import { ids, versions } from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TIMESTAMP_MAX } from "./timestamp.ts";
import { compareVersions, formatVersion, parseVersion, type Version } from "./version.ts";

describe("versions", () => {
  it("have a total order", () => {
    fc.assert(
      fc.property(versions(), versions(), versions(), (a, b, c) => {
        expect(compareVersions(a, b) + compareVersions(b, a)).toBe(0);
        expect(compareVersions(a, b) === 0).toBe(a.timestamp === b.timestamp && a.origin === b.origin);
        const isNotAbove = (left: Version, right: Version): boolean => compareVersions(left, right) <= 0;
        expect(isNotAbove(a, b) && isNotAbove(b, c) && !isNotAbove(a, c)).toBe(false);
        expect(isNotAbove(c, b) && isNotAbove(b, a) && !isNotAbove(c, a)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it("are ordered by timestamp before origin", () => {
    fc.assert(
      fc.property(versions(), versions(), (a, b) => {
        fc.pre(a.timestamp !== b.timestamp);
        expect(compareVersions(a, b)).toBe(a.timestamp < b.timestamp ? -1 : 1);
      }),
    );
  });

  it("format to 32 hex digits whose order is theirs, and parse back", () => {
    fc.assert(
      fc.property(versions(), versions(), (a, b) => {
        const [left, right] = [formatVersion(a), formatVersion(b)];
        expect(left).toMatch(/^[0-9a-f]{32}$/);
        expect(parseVersion(left)).toEqual(a);
        expect(left === right ? 0 : left < right ? -1 : 1).toBe(compareVersions(a, b));
      }),
      { numRuns: 500 },
    );
  });

  it("parse nothing that would format differently", () => {
    const fragments = fc.oneof(
      ids(),
      fc.string(),
      fc.constantFrom("0", "f", "F", " ", "\n", "0x", "-1", "é"),
    );
    fc.assert(
      fc.property(fc.array(fragments, { maxLength: 4 }), (parts) => {
        const text = parts.join("");
        const version = parseVersion(text);
        expect(version === undefined ? text : formatVersion(version)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it("end at 53 bits", () => {
    const origin = "00000000000000aa";
    expect(parseVersion(`001fffffffffffff${origin}`)).toEqual({ timestamp: TIMESTAMP_MAX, origin });
    for (const beyond of ["0020000000000000", "0020000000000001", "ffffffffffffffff"]) {
      expect(parseVersion(beyond + origin)).toBeUndefined();
    }
  });
});
