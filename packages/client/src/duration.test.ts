import { describe, expect, it } from "vitest";
import { millisecondsOf, type TimeSpan } from "./duration.ts";

describe("a length of time", () => {
  it.each([
    [1, 1],
    [1500.4, 1500],
    ["500ms", 500],
    ["60s", 60_000],
    ["1.5h", 5_400_000],
    ["7d", 604_800_000],
  ] as const)("%j is %d ms", (span, milliseconds) => {
    expect(millisecondsOf(span, "ttl")).toBe(milliseconds);
  });

  it.each([
    "",
    "15",
    "m",
    "15 m",
    "-1s",
    "1e3s",
    "0s",
    0,
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    {},
  ])("%j is refused by name", (span) => {
    expect(() => millisecondsOf(span as TimeSpan, "ttl")).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringMatching(/^ttl: /) as string,
      }),
    );
  });
});
