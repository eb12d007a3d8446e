import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { withTemporaryDirectory } from "../../test/temporary.ts";
import { openClassicEngine } from "../engine.ts";
import { checkTableFile } from "./table-file.ts";

const FOOTER_BYTES = 48;
/** Two handles of up to four bytes each; what follows up to the magic number is filler. */
const FOOTER_HANDLES_BYTES = 8;

/** A table file as LevelDB wrote it, with a compressed index of hundreds of blocks. */
let table: Uint8Array;

async function makeTable(directory: string): Promise<Uint8Array> {
  const engine = await openClassicEngine(directory, { writeBufferBytes: 8 << 20, blockCacheBytes: 1 << 20 });
  const batch = engine.batch();
  for (let index = 0; index < 3000; index += 1) {
    const row = new TextEncoder().encode(`a rather long key with number ${String(index).padStart(6, "0")}`);
    batch.put(
      row,
      Uint8Array.from({ length: 300 }, (_, at) => (at * at * (index + 7)) % 251),
    );
  }
  await batch.write({ sync: true });
  await engine.compactRange?.(Uint8Array.of(0), Uint8Array.of(255));
  const name = (await readdir(directory)).filter((file) => file.endsWith(".ldb")).sort()[0] ?? "none";
  const content = await readFile(join(directory, name));
  await engine.close();
  return Uint8Array.from(content);
}

describe("checkTableFile", () => {
  beforeAll(async () => {
    table = await withTemporaryDirectory(makeTable);
  });

  test("finds nothing in what LevelDB wrote", () => {
    expect(table.length).toBeGreaterThan(100_000);
    expect(checkTableFile(table)).toEqual([]);
  });

  test("finds every flipped bit of every block", () => {
    fc.assert(
      fc.property(fc.nat({ max: table.length - FOOTER_BYTES - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const copy = table.slice();
        copy[at] = (copy[at] ?? 0) ^ (1 << bit);
        expect(checkTableFile(copy)).not.toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  test("finds every flipped bit of the filter, which comes after the data", () => {
    // Ten bits a key, before an index whose keys LevelDB shortens: the filter lies in these bytes.
    const start = table.length - FOOTER_BYTES - 20_000;
    for (let at = start; at < table.length - FOOTER_BYTES; at += 97) {
      const copy = table.slice();
      copy[at] = (copy[at] ?? 0) ^ 0x04;
      expect(checkTableFile(copy)).not.toEqual([]);
    }
  });

  test("finds every flipped bit of the footer that means something", () => {
    const start = table.length - FOOTER_BYTES;
    for (let at = start; at < table.length; at += 1) {
      const isFiller = at >= start + FOOTER_HANDLES_BYTES && at < table.length - 8;
      const copy = table.slice();
      copy[at] = (copy[at] ?? 0) ^ 0x04;
      expect(checkTableFile(copy).length > 0 || isFiller).toBe(true);
    }
  });

  test("finds that a file was cut short", () => {
    for (const end of [0, 10, 47, 48, 5000, table.length - 1]) {
      expect(checkTableFile(table.slice(0, end))).not.toEqual([]);
    }
  });
});
