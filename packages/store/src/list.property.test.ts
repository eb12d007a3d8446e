import type { Entry, KeyText } from "@meshkv/core";
import { keyTexts } from "@meshkv/testing/pure";
import fc from "fast-check";
import { expect, test } from "vitest";
import { commitRecords, record } from "../test/groups.ts";
import { Database } from "./database.ts";
import type { Generation } from "./generation.ts";
import type { ListRequest } from "./list.ts";

/** Follows the pages of a request to the end. */
async function readPages(table: Generation, request: ListRequest): Promise<Entry[][]> {
  const pages: Entry[][] = [];
  let { start, end } = request;
  for (;;) {
    const page = await table.list({ ...request, start, end });
    pages.push([...page.entries]);
    if (page.resume === undefined) return pages;
    if (request.reverse === true) end = page.resume;
    else start = page.resume;
  }
}

/** One table for all runs: every run writes its own keys over it, and the model knows all of them. */
test("pages together are the filtered range, each within its limits", async () => {
  const database = await Database.open({ memory: true });
  const table = database.generation(1);
  const model = new Map<KeyText, number>();
  let timestamp = 0;
  const requests = fc.record({
    keys: fc.array(keyTexts(2), { maxLength: 6 }),
    start: fc.option(keyTexts(2), { nil: undefined }),
    end: fc.option(keyTexts(2), { nil: undefined }),
    reverse: fc.boolean(),
    limit: fc.integer({ min: 1, max: 5 }),
    bytesMax: fc.integer({ min: 1, max: 60 }),
    rowsMax: fc.integer({ min: 1, max: 5 }),
    modulus: fc.integer({ min: 1, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(requests, async ({ keys, modulus, ...request }) => {
      for (const key of keys) {
        timestamp += 1;
        model.set(key, timestamp);
        await commitRecords(table, record({ timestamp, key, context: [] }));
      }
      const keep = (entry: Entry): boolean => entry.winner.timestamp % modulus === 0;
      const expected = [...model]
        .filter(([key, at]) => {
          const isIn = (request.start ?? "") <= key && (request.end === undefined || key < request.end);
          return isIn && at % modulus === 0;
        })
        .sort(([a], [b]) => (a < b ? -1 : 1));
      if (request.reverse) expected.reverse();
      const pages = await readPages(table, { ...request, keep });
      expect(pages.flat().map(({ winner }) => [winner.key, winner.timestamp])).toEqual(expected);
      for (const page of pages) {
        const sizes = page.map(({ winner }) => winner.key.length + winner.value.length);
        const allButLast = sizes.slice(0, -1).reduce((sum, size) => sum + size, 0);
        expect(page.length).toBeLessThanOrEqual(Math.min(request.limit, request.rowsMax));
        expect(allButLast).toBeLessThan(request.bytesMax);
      }
    }),
    { numRuns: 60 },
  );
  await database.close();
});

test("a page that just holds all says that nothing more is there", async () => {
  const database = await Database.open({ memory: true });
  const table = database.generation(1);
  await commitRecords(table, record({ timestamp: 1 }));
  expect(await table.list({ limit: 1, bytesMax: 1 })).toMatchObject({ resume: undefined, entries: [{}] });
  await database.close();
});
