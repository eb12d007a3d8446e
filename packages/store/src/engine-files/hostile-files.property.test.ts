/** Whatever lies in the engine's files: a check tells what is wrong, and neither throws, nor hangs, nor asks for memory. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { damagedBytes } from "@meshkv/testing/pure";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { withTemporaryDirectory } from "../../test/temporary.ts";
import { openClassicEngine } from "../engine.ts";
import { encodeLogFile, readLogFile } from "./log-file.ts";
import { readManifest } from "./manifest.ts";
import { checkTableFile } from "./table-file.ts";

const FOOTER_BYTES = 48;
const MAGIC = Uint8Array.of(0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb);

let manifest: Uint8Array;
let table: Uint8Array;
let log: Uint8Array;

beforeAll(async () => {
  [manifest, table, log] = await withTemporaryDirectory(async (directory) => {
    const engine = await openClassicEngine(directory, {
      writeBufferBytes: 1 << 16,
      blockCacheBytes: 1 << 16,
    });
    for (const compacted of [true, false]) {
      const batch = engine.batch();
      for (let index = 0; index < 40; index += 1)
        batch.put(Uint8Array.of(index), new Uint8Array(30).fill(index));
      await batch.write({ sync: true });
      if (compacted) await engine.compactRange?.(Uint8Array.of(0), Uint8Array.of(255));
    }
    await engine.close();
    const read = async (pattern: RegExp): Promise<Uint8Array> => {
      const name = (await readdir(directory))
        .filter((file) => pattern.test(file))
        .sort()
        .at(-1);
      return new Uint8Array(await readFile(join(directory, name ?? "none")));
    };
    return [await read(/^MANIFEST/), await read(/\.ldb$/), await read(/\.log$/)] as const;
  });
});

/** Bytes that once were a good file. */
function harmed(of: () => Uint8Array): fc.Arbitrary<Uint8Array> {
  return damagedBytes(fc.constant(undefined).map(() => of()));
}

describe("checks of files", () => {
  test("a log of anything is records, defects, or a torn end", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          harmed(() => log),
          fc.uint8Array({ maxLength: 200 }),
        ),
        (bytes) => {
          const { records, defects, tornAt } = readLogFile(bytes);
          const isSomething = records.length + defects.length > 0 || tornAt !== undefined;
          expect(isSomething || bytes.length === 0).toBe(true);
        },
      ),
    );
  });

  test("a manifest of anything is tables and defects", () => {
    const edits = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }).map(encodeLogFile);
    fc.assert(
      fc.property(
        fc.oneof(
          harmed(() => manifest),
          edits,
        ),
        (bytes) => {
          const { tables, defects } = readManifest(bytes);
          expect([...tables.values()].every((size) => Number.isSafeInteger(size) && size >= 0)).toBe(true);
          expect(defects.map(({ message }) => message)).not.toContain("");
        },
      ),
    );
  });

  test("a table of anything has defects, also when it ends as tables do", () => {
    const withMagic = fc.uint8Array({ minLength: FOOTER_BYTES - 8, maxLength: 300 }).map((bytes) => {
      const file = new Uint8Array(bytes.length + MAGIC.length);
      file.set(bytes);
      file.set(MAGIC, bytes.length);
      return file;
    });
    fc.assert(
      fc.property(fc.oneof(withMagic, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        expect(checkTableFile(bytes)).not.toEqual([]);
      }),
    );
    fc.assert(
      fc.property(
        harmed(() => table),
        (bytes) => {
          for (const { message } of checkTableFile(bytes)) expect(message).not.toBe("");
        },
      ),
    );
  });
});
