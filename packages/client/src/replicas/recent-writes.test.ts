import { describe, expect, it } from "vitest";
import { RecentWrites } from "./recent-writes.ts";

describe("recent writes", () => {
  it("send reads of a key where it was written, for a while", () => {
    const recent = new RecentWrites<string>();
    recent.note("key", "a", 0);
    expect(recent.placeOf("key", 1000)).toBe("a");
    expect(recent.placeOf("other", 1000)).toBeUndefined();
    expect(recent.placeOf("key", 2000)).toBeUndefined();
  });

  it("send reads of ranges where the last write of all went", () => {
    const recent = new RecentWrites<string>();
    recent.note("one", "a", 0);
    recent.note("two", "b", 1);
    expect(recent.placeOf(undefined, 2)).toBe("b");
    expect(recent.placeOf("one", 2)).toBe("a");
  });

  it("of many keys count for each, until a key is written again", () => {
    const recent = new RecentWrites<string>();
    recent.note("key", "a", 0);
    recent.note(undefined, "b", 1);
    expect(recent.placeOf("key", 2)).toBe("b");
    recent.note("key", "c", 3);
    expect(recent.placeOf("key", 4)).toBe("c");
    expect(recent.placeOf("other", 4)).toBe("b");
  });
});
