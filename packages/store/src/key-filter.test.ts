import { keyTexts } from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { key } from "../test/groups.ts";
import { KeyFilter } from "./key-filter.ts";

const MIB = 1024 * 1024;

describe("a key filter", () => {
  test("has every key that it was given, over all its layers, and takes few others for one of them", () => {
    const filter = new KeyFilter(16 * MIB);
    let missing = 0;
    let wrong = 0;
    for (let number = 0; number < 300_000; number += 1) missing += Number(!filter.add(key(`in/${number}`)));
    for (let number = 0; number < 300_000; number += 1) {
      missing += Number(!filter.mayHave(key(`in/${number}`)));
      wrong += Number(filter.mayHave(key(`out/${number}`)));
    }
    expect(missing).toBe(0);
    expect(wrong / 300_000).toBeLessThan(0.02);
    expect(filter.bytes).toBeLessThanOrEqual(MIB);
  });

  test("refuses a key when there is no room, and goes on to have the others", () => {
    const filter = new KeyFilter(128 * 1024);
    let number = 0;
    while (filter.add(key(`in/${number}`))) number += 1;
    expect(filter.bytes).toBe(128 * 1024);
    expect(number).toBeGreaterThan(60_000);
    let missing = 0;
    for (let known = 0; known < number; known += 1) missing += Number(!filter.mayHave(key(`in/${known}`)));
    expect(missing).toBe(0);
    expect(filter.add(key("in/0"))).toBe(true);
  });

  test("has what it was given, whatever the keys are", () => {
    fc.assert(
      fc.property(fc.array(keyTexts()), (keys) => {
        const filter = new KeyFilter(MIB);
        for (const each of keys) expect(filter.add(each)).toBe(true);
        for (const each of keys) expect(filter.mayHave(each)).toBe(true);
      }),
    );
  });
});
