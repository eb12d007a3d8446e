import { appendFile, copyFile, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../test/temporary.ts";
import { writeUntilKilled } from "../../test/writer-process.ts";
import { openClassicEngine } from "../engine.ts";
import { checkEngineFiles } from "./check-engine-files.ts";

/** A closed engine with tables and a log with five batches. */
async function closedEngine(): Promise<string> {
  const directory = await temporaryDirectory();
  const engine = await openClassicEngine(directory, { writeBufferBytes: 8 << 20, blockCacheBytes: 1 << 20 });
  for (let index = 0; index < 10; index += 1) {
    const batch = engine.batch();
    for (let row = 0; row < 50; row += 1)
      batch.put(Uint8Array.of(row, index % 3), new Uint8Array(100).fill(index));
    await batch.write({ sync: true });
    if (index === 4) await engine.compactRange?.(Uint8Array.of(0), Uint8Array.of(255));
  }
  await engine.close();
  return directory;
}

async function fileLike(directory: string, pattern: RegExp): Promise<string> {
  const name =
    (await readdir(directory))
      .filter((file) => pattern.test(file))
      .sort()
      .at(-1) ?? "none";
  return join(directory, name);
}

async function messagesOf(directory: string): Promise<string[]> {
  return (await checkEngineFiles(directory)).findings.map(({ message }) => message);
}

describe("checkEngineFiles", () => {
  test("finds nothing in files that are in order, and reads all of them", async () => {
    const directory = await closedEngine();
    const check = await checkEngineFiles(directory);
    expect(check).toMatchObject({ findings: [], files: 4 });
    expect(check.bytes).toBeGreaterThan(10_000);
  });

  test("finds nothing where there is no database", async () => {
    expect(await checkEngineFiles(await temporaryDirectory())).toEqual({ findings: [], files: 0, bytes: 0 });
  });

  test("finds nothing after kills, and neither does the engine lose anything", async () => {
    const directory = await temporaryDirectory();
    let last = 0;
    for (const count of [40, 25, 60]) {
      last = await writeUntilKilled(directory, last + 1, count);
      expect((await checkEngineFiles(directory)).findings).toEqual([]);
    }
    const level = new ClassicLevel(directory);
    expect(last).toBeGreaterThan(100);
    expect(Number(await level.get("last"))).toBeGreaterThanOrEqual(last);
    await level.close();
  });

  test("files that the manifest does not name mean nothing", async () => {
    const directory = await closedEngine();
    await writeFile(join(directory, "900000.ldb"), "half-written");
    await writeFile(join(directory, "000001.log"), "forgotten");
    expect(await messagesOf(directory)).toEqual([]);
  });

  test("a table that is missing or cut short is found", async () => {
    const directory = await closedEngine();
    const table = await fileLike(directory, /\.ldb$/);
    await truncate(table, 100);
    expect(await messagesOf(directory)).toEqual([expect.stringContaining("should have")]);
    await rm(table);
    expect(await messagesOf(directory)).toEqual(["the table is missing"]);
  });

  test("a damaged manifest, or none, is found", async () => {
    const directory = await closedEngine();
    const manifest = await fileLike(directory, /^MANIFEST/);
    const content = await readFile(manifest);
    content[20] = (content[20] ?? 0) ^ 1;
    await writeFile(manifest, content);
    expect(await messagesOf(directory)).toContain("the checksum of a record does not match");
    await rm(manifest);
    expect(await messagesOf(directory)).toEqual(["the manifest is missing"]);
    await writeFile(join(directory, "CURRENT"), "nonsense\n");
    expect(await messagesOf(directory)).toEqual(["it names no manifest"]);
  });

  test("a log that is cut short and followed by an empty one is a stop during a start", async () => {
    const directory = await closedEngine();
    const log = await fileLike(directory, /\.log$/);
    await appendFile(log, Uint8Array.of(1, 2, 3, 4, 200, 0, 1, 5));
    await writeFile(join(directory, "900000.log"), "");
    expect(await messagesOf(directory)).toEqual([]);
  });

  test("a log that is cut short and followed by another's batches is damaged", async () => {
    const directory = await closedEngine();
    const log = await fileLike(directory, /\.log$/);
    await copyFile(log, join(directory, "900000.log"));
    await appendFile(log, Uint8Array.of(1, 2, 3, 4, 200, 0, 1, 5));
    expect(await messagesOf(directory)).toEqual([
      expect.stringContaining("ends inside a record"),
      expect.stringContaining("follows where"),
    ]);
  });

  test("a batch that is missing between two is found", async () => {
    const directory = await closedEngine();
    const log = await fileLike(directory, /\.log$/);
    const content = await readFile(log);
    // Every batch of the log has the same size: take out the second one.
    const size = content.length / 5;
    expect(Number.isInteger(size)).toBe(true);
    await writeFile(log, Buffer.concat([content.subarray(0, size), content.subarray(2 * size)]));
    expect(await messagesOf(directory)).toEqual([expect.stringContaining("follows where")]);
  });
});
