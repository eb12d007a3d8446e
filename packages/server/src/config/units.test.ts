import { describe, expect, it } from "vitest";
import { formatDuration, formatSize, parseDuration, parseSize } from "./units.ts";

const ANY = { min: 0, max: Number.MAX_SAFE_INTEGER };

describe("parseDuration", () => {
  it.each([
    ["500ms", 500],
    ["60s", 60_000],
    ["1.5h", 5_400_000],
    ["0s", 0],
    [" 7d ", 604_800_000],
    ["0.4ms", 0],
  ])("reads %s", (text, value) => {
    expect(parseDuration(text, ANY)).toEqual({ value });
  });

  it.each(["", "60", "s", "-1s", "1S", "1 s", "1h30m", "1e3s", "1week", "NaNs", "1.s", "9999999999999999s"])(
    "refuses %j",
    (text) => {
      expect(parseDuration(text, ANY)).toEqual({
        problem: `${JSON.stringify(text)} is not a duration: write a number and a unit (ms, s, m, h, d), such as 60s`,
      });
    },
  );

  it("names the range", () => {
    expect(parseDuration("2h", { min: 1000, max: 3_600_000 })).toEqual({
      problem: '"2h" is out of range: write a duration from 1s to 1h',
    });
  });
});

describe("parseSize", () => {
  it.each([
    ["100B", 100],
    ["512KiB", 524_288],
    ["1MiB", 1_048_576],
    ["0.5GiB", 536_870_912],
  ])("reads %s", (text, value) => {
    expect(parseSize(text, ANY)).toEqual({ value });
  });

  it.each(["1MB", "1M", "1", "-1MiB", "1mib"])("refuses %j", (text) => {
    expect(parseSize(text, ANY)).toEqual({
      problem: `${JSON.stringify(text)} is not a size: write a number and a unit (B, KiB, MiB, GiB), such as 1MiB`,
    });
  });
});

describe("formatting", () => {
  it("takes the greatest unit without a fraction", () => {
    expect([0, 1, 999, 60_000, 5_400_000, 604_800_000].map(formatDuration)).toEqual([
      "0ms",
      "1ms",
      "999ms",
      "1m",
      "90m",
      "7d",
    ]);
    expect([0, 1, 1536, 1_048_576, 4_294_967_296].map(formatSize)).toEqual([
      "0B",
      "1B",
      "1536B",
      "1MiB",
      "4GiB",
    ]);
  });
});
