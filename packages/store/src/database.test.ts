import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { ChangeSet } from "@meshkv/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { FaultyEngine } from "../test/faulty-engine.ts";
import { bytes, commitRecords, key, ORIGIN, record } from "../test/groups.ts";
import { crashImage, temporaryDirectory } from "../test/temporary.ts";
import { Database, type DatabaseOptions } from "./database.ts";
import { encodeLogFile, readLogFile } from "./engine-files/log-file.ts";
import { readManifest } from "./engine-files/manifest.ts";
import { removeStrayTables } from "./engine-files/stray-tables.ts";
import { openClassicEngine, openMemoryEngine } from "./engine.ts";
import { rootRow } from "./row-keys.ts";

const SMALL: DatabaseOptions = { writeBufferBytes: 64 * 1024, freeBytesFloor: 0 };
/** Nothing happens in the background: files can be copied while they are open. */
const ALL_IN_LOG: DatabaseOptions = { freeBytesFloor: 0 };

async function openAt(directory: string, options: DatabaseOptions = SMALL): Promise<Database> {
  const database = await Database.open({ directory }, options);
  onTestFinished(() => database.close());
  return database;
}

/** Enough groups for several table files. */
async function fill(database: Database, groups = 30): Promise<void> {
  const table = database.generation(database.currentGeneration);
  for (let group = 0; group < groups; group += 1) {
    const records = Array.from({ length: 20 }, (_, index) =>
      record({
        timestamp: group * 20 + index + 1,
        key: key(`key ${index}`),
        value: new Uint8Array(500).fill(group),
      }),
    );
    await commitRecords(table, ...records);
  }
}

async function bytesIn(directory: string): Promise<number> {
  let sum = 0;
  for (const name of await readdir(directory)) sum += (await stat(join(directory, name))).size;
  return sum;
}

async function flipByte(path: string, at: number): Promise<void> {
  const content = await readFile(path);
  const index = at < 0 ? content.length + at : at;
  content[index] = (content[index] ?? 0) ^ 0x10;
  await writeFile(path, content);
}

/** The newest write-ahead log. */
async function logFile(directory: string): Promise<string> {
  const names = (await readdir(join(directory, "engine"))).filter((name) => name.endsWith(".log")).sort();
  return join(directory, "engine", names.at(-1) ?? "none");
}

/** A table file that the manifest names. */
async function tableFile(directory: string): Promise<string> {
  const engine = join(directory, "engine");
  const manifest = (await readFile(join(engine, "CURRENT"), "latin1")).trimEnd();
  const [number] = [...readManifest(await readFile(join(engine, manifest))).tables.keys()].slice(-1);
  return join(engine, `${String(number).padStart(6, "0")}.ldb`);
}

describe("a directory", () => {
  test("is made for its owner only, and holds what was committed", async () => {
    const directory = join(await temporaryDirectory(), "deep", "data");
    const first = await openAt(directory);
    const put = record({ timestamp: 1 });
    await commitRecords(first.generation(1), put);
    await first.close();
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    const second = await openAt(directory);
    expect(second.damage).toEqual([]);
    expect(second.generation(1).entry(put.key)).toEqual({ winner: put, siblings: [] });
    expect(
      await second.generation(1).scan({ kind: "log", origin: ORIGIN, after: 0, upTo: 9, bytesMax: 99 }),
    ).toEqual({
      kind: "log",
      records: [put],
      done: true,
    });
  });

  test("that is open elsewhere in the process is refused by name", async () => {
    const directory = await temporaryDirectory();
    await openAt(directory);
    await expect(Database.open({ directory })).rejects.toMatchObject({
      code: "DIRECTORY_LOCKED",
      message: expect.stringContaining(directory),
    });
  });

  test("that another process has open is refused, and not held against it", async () => {
    const directory = await temporaryDirectory();
    await (await openAt(directory)).close();
    const script = `
      const { ClassicLevel } = require(${JSON.stringify(createRequire(import.meta.url).resolve("classic-level"))});
      const level = new ClassicLevel(process.argv[1]);
      level.open().then(() => console.log("open"));
      process.stdin.on("end", () => level.close()).resume();`;
    const child = spawn(process.execPath, ["-e", script, join(directory, "engine")]);
    await once(child.stdout, "data");
    await expect(Database.open({ directory })).rejects.toMatchObject({ code: "DIRECTORY_LOCKED" });
    child.stdin.end();
    await once(child, "exit");
    expect((await openAt(directory)).damage).toEqual([]);
  });

  test("of another format is refused, with both formats named", async () => {
    const directory = await temporaryDirectory();
    await (await openAt(directory)).close();
    await writeFile(join(directory, "FORMAT"), "meshkv storage 99\n");
    await expect(Database.open({ directory })).rejects.toMatchObject({
      code: "UNSUPPORTED_FORMAT",
      metadata: { directory, found: "99", known: "2" },
    });
    await writeFile(join(directory, "FORMAT"), "something else");
    await expect(Database.open({ directory })).rejects.toMatchObject({ metadata: { found: "unreadable" } });
  });

  test("of the older format is opened, keeps what it holds, and is one of this format from then on", async () => {
    const directory = await temporaryDirectory();
    const first = await openAt(directory);
    await commitRecords(first.generation(1), record({ timestamp: 1 }));
    await first.close();
    await writeFile(join(directory, "FORMAT"), "meshkv storage 1\n");
    const second = await openAt(directory);
    expect(second.damage).toEqual([]);
    expect(second.generation(1).entry(key("k"))?.winner.timestamp).toBe(1);
    expect(await readFile(join(directory, "FORMAT"), "utf8")).toBe("meshkv storage 2\n");
  });

  test("that another program has open keeps the name of its format", async () => {
    const directory = await temporaryDirectory();
    await openAt(directory);
    await writeFile(join(directory, "FORMAT"), "meshkv storage 1\n");
    await expect(Database.open({ directory })).rejects.toMatchObject({ code: "DIRECTORY_LOCKED" });
    expect(await readFile(join(directory, "FORMAT"), "utf8")).toBe("meshkv storage 1\n");
  });

  test("with an engine of unknown origin is refused", async () => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, "engine"));
    await expect(Database.open({ directory })).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
  });

  test("whose engine cannot be opened is an operating failure", async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "FORMAT"), "meshkv storage 1\n");
    await writeFile(join(directory, "engine"), "a file, no directory");
    await expect(Database.open({ directory })).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });

  test("whose manifest is lost is repaired, and says so", async () => {
    const directory = await temporaryDirectory();
    const database = await openAt(directory);
    await commitRecords(database.generation(1), record({ timestamp: 1 }));
    await database.close();
    await writeFile(join(directory, "engine", "CURRENT"), "MANIFEST-999999\n");
    const repaired = await openAt(directory);
    expect(repaired.damage).toEqual(["MANIFEST-999999 at byte 0: the manifest is missing"]);
    expect(repaired.generation(1).entry(key("k"))?.winner.timestamp).toBe(1);
  });

  test("whose current generation nothing names goes on with the first that has rows, and says so", async () => {
    const directory = await temporaryDirectory();
    const database = await openAt(directory);
    await commitRecords(database.generation(4), record({ timestamp: 1 }));
    await database.close();
    for (const value of [undefined, bytes("nonsense")]) {
      const engine = await openClassicEngine(join(directory, "engine"), {
        writeBufferBytes: 1 << 20,
        blockCacheBytes: 1 << 20,
      });
      const batch = engine.batch();
      if (value === undefined) batch.del(rootRow("generation"));
      else batch.put(rootRow("generation"), value);
      await batch.write({ sync: true });
      await engine.close();
      const recovered = await openAt(directory);
      expect(recovered.currentGeneration).toBe(4);
      expect(recovered.damage).toContainEqual(expect.stringContaining("current generation"));
      await recovered.close();
    }
  });
});

describe("after an unclean stop", () => {
  test("nothing is lost and nothing is found", async () => {
    const directory = await temporaryDirectory();
    const database = await openAt(directory, ALL_IN_LOG);
    await fill(database);
    const image = await crashImage(directory);
    const recovered = await openAt(image);
    expect(recovered.damage).toEqual([]);
    expect(recovered.generation(1).entry(key("key 7"))?.winner.timestamp).toBe(29 * 20 + 8);
  });

  test("a last write that was cut short is no damage", async () => {
    const directory = await temporaryDirectory();
    const database = await openAt(directory);
    await commitRecords(database.generation(1), record({ timestamp: 1, key: key("first") }));
    const image = await crashImage(directory);
    await commitRecords(database.generation(1), record({ timestamp: 2, key: key("second") }));
    const log = await readFile(await logFile(directory));
    await writeFile(await logFile(image), log.subarray(0, -5));
    const recovered = await openAt(image);
    expect(recovered.damage).toEqual([]);
    expect(recovered.generation(1).entry(key("first"))).toBeDefined();
    expect(recovered.generation(1).entry(key("second"))).toBeUndefined();
  });

  test("damage in the write-ahead log is found, and remembered until the state is replaced", async () => {
    const directory = await temporaryDirectory();
    const database = await openAt(directory);
    for (const timestamp of [1, 2, 3]) await commitRecords(database.generation(1), record({ timestamp }));
    const image = await crashImage(directory);
    const size = (await stat(await logFile(image))).size;
    await flipByte(await logFile(image), Math.floor(size / 2));
    const damaged = await openAt(image);
    expect(damaged.damage).toEqual([expect.stringMatching(/\.log at byte \d+: .*checksum/)]);
    await damaged.close();
    const again = await openAt(image);
    expect(again.damage).toEqual(damaged.damage);
    await again.switchTo(2);
    expect(again.damage).toEqual([]);
    await again.close();
    expect((await openAt(image)).damage).toEqual([]);
  });

  test("findings outlive a crash while the engine opens", async () => {
    const directory = await temporaryDirectory();
    await (await openAt(directory)).close();
    await writeFile(join(directory, "DAMAGE"), "000003.log at byte 0: found earlier\n");
    const database = await openAt(directory);
    expect(database.damage).toEqual(["000003.log at byte 0: found earlier"]);
    expect(await readdir(directory)).not.toContain("DAMAGE");
  });

  test("damage in a table file is found", async () => {
    const directory = await temporaryDirectory();
    const database = await openAt(directory);
    await fill(database);
    await database.close();
    const image = await crashImage(directory);
    await rm(join(image, "CLEAN"));
    await flipByte(await tableFile(image), 1000);
    expect((await openAt(image)).damage).toEqual([expect.stringMatching(/\.ldb at byte \d+: data block/)]);
  });

  test("damage in a table file is found after a clean stop, too", async () => {
    const directory = await temporaryDirectory();
    const database = await openAt(directory);
    await fill(database);
    await database.close();
    const image = await crashImage(directory);
    await flipByte(await tableFile(image), 1000);
    expect((await openAt(image)).damage).toEqual([expect.stringMatching(/\.ldb at byte \d+: data block/)]);
  });

  test("a log that was cut short after a clean stop is damage", async () => {
    const directory = await temporaryDirectory();
    const database = await openAt(directory);
    for (const timestamp of [1, 2, 3]) await commitRecords(database.generation(1), record({ timestamp }));
    await database.close();
    const image = await crashImage(directory);
    const log = await logFile(image);
    await writeFile(log, (await readFile(log)).subarray(0, -5));
    expect((await openAt(image)).damage).toEqual([expect.stringContaining("closed in order")]);
  });

  test("damage that only the engine sees is found and repaired, too", async () => {
    const directory = await temporaryDirectory();
    const database = await openAt(directory);
    await fill(database);
    await database.close();
    const image = await crashImage(directory);
    const manifest = join(
      image,
      "engine",
      (await readFile(join(image, "engine", "CURRENT"), "latin1")).trimEnd(),
    );
    // An edit with a right checksum that takes a file away from a level that LevelDB has not got.
    const { records } = readLogFile(await readFile(manifest));
    await writeFile(manifest, encodeLogFile([...records, Uint8Array.of(6, 99, 1)]));
    const recovered = await openAt(image);
    expect(recovered.damage).toEqual([expect.stringContaining("Corruption")]);
    expect(recovered.generation(1).entry(key("key 7"))?.winner.timestamp).toBe(29 * 20 + 8);
  });

  test("a mark of an earlier stop does not count", async () => {
    const directory = await temporaryDirectory();
    await (await openAt(directory)).close();
    const mark = await readFile(join(directory, "CLEAN"));
    const database = await openAt(directory);
    for (const timestamp of [1, 2, 3]) await commitRecords(database.generation(1), record({ timestamp }));
    const image = await crashImage(directory);
    await writeFile(join(image, "CLEAN"), mark);
    await flipByte(await logFile(image), 60);
    expect((await openAt(image)).damage).toHaveLength(1);
  });
});

describe("generations", () => {
  test("a switch is durable and brings its group with it", async () => {
    const directory = await temporaryDirectory();
    const database = await openAt(directory);
    expect(database.currentGeneration).toBe(1);
    await commitRecords(database.generation(1), record({ timestamp: 1 }));
    await commitRecords(database.generation(2), record({ timestamp: 2 }));
    const group = new ChangeSet(1);
    group.sections.set("identity", bytes("successor"));
    await database.switchTo(2, group);
    const recovered = await openAt(await crashImage(directory));
    expect(recovered.currentGeneration).toBe(2);
    expect(await recovered.generation(2).sections()).toEqual(new Map([["identity", bytes("successor")]]));
    expect(recovered.generation(1).entry(key("k"))?.winner.timestamp).toBe(1);
  });

  test("a switch that fails changes nothing", async () => {
    const engine = new FaultyEngine(await openMemoryEngine());
    const database = await Database.open({ engine });
    engine.failures.push(new Error("input/output error"));
    await expect(database.switchTo(2)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    expect(database.currentGeneration).toBe(1);
    await database.close();
  });

  test("a wiped generation is empty, and the others are not", async () => {
    const database = await openAt(await temporaryDirectory());
    await fill(database, 60);
    for (const generation of [2, 3])
      await commitRecords(database.generation(generation), record({ timestamp: 7 }));
    await database.switchTo(3);
    expect(database.generation(1).entry(key("key 3"))).toBeDefined();
    const wiping = database.wipe(1);
    await commitRecords(database.generation(3), record({ timestamp: 8 }));
    expect(await wiping).toBe(true);
    expect(await database.generations()).toEqual([2, 3]);
    expect(database.generation(1).entry(key("key 3"))).toBeUndefined();
    expect(database.generation(2).entry(key("k"))?.winner.timestamp).toBe(7);
    await expect(database.wipe(3)).rejects.toThrow("current generation");
  });

  test("the space of what is gone from the logs is given back, and nothing else goes", async () => {
    const directory = await temporaryDirectory();
    const database = await openAt(directory);
    const table = database.generation(1);
    const written = Array.from({ length: 40 }, (_, index) =>
      record({ timestamp: index + 1, key: key("k"), value: randomBytes(64 * 1024) }),
    );
    for (const one of written) await commitRecords(table, one);
    const cut = new ChangeSet(1);
    const floor = 30;
    for (const { origin, timestamp } of written) if (timestamp <= floor) cut.cuts.push({ origin, timestamp });
    await table.commit(cut);
    const before = await bytesIn(join(directory, "engine"));
    await database.reclaimLogs(new Map([[ORIGIN, floor]]));
    // LevelDB removes files that nobody reads any more with the next one that it writes.
    await expect
      .poll(async () => {
        await commitRecords(table, record({ timestamp: 100, value: randomBytes(64 * 1024) }));
        return before - (await bytesIn(join(directory, "engine")));
      })
      .toBeGreaterThan(20 * 64 * 1024);
    const rest = await table.scan({ kind: "log", origin: ORIGIN, after: 0, upTo: 40, bytesMax: 1e9 });
    expect(rest.kind === "log" && rest.records.map(({ timestamp }) => timestamp)).toEqual(
      written.slice(floor).map(({ timestamp }) => timestamp),
    );
  });

  test("a full disk has room to open it again when a broken compaction has left enough", async () => {
    const directory = await temporaryDirectory();
    let free = 1e12;
    const options = { ...SMALL, freeBytesFloor: 1e9, freeBytesProbe: () => Promise.resolve(free) };
    const database = await openAt(directory, options);
    await fill(database);
    expect(await database.hasRoomToReopen()).toBe(true);
    free = 1e8;
    expect(await database.hasRoomToReopen()).toBe(false);
    // The engine would remove it with the next file that it writes, which it can no more.
    await database.close();
    const stray = join(directory, "engine", "999999.ldb");
    await writeFile(stray, "");
    await truncate(stray, 5e8);
    expect(await database.hasRoomToReopen()).toBe(false);
    await truncate(stray, 1e9);
    expect(await database.hasRoomToReopen()).toBe(true);
  });

  test("to open a full disk removes what no manifest names, and only that", async () => {
    const directory = await temporaryDirectory();
    const database = await openAt(directory);
    await fill(database);
    await database.close();
    // A compaction may have been under way at the close.
    await removeStrayTables(join(directory, "engine"));
    const tables = async (): Promise<string[]> =>
      (await readdir(join(directory, "engine"))).filter((name) => name.endsWith(".ldb")).toSorted();
    const before = await tables();
    expect(before.length).toBeGreaterThan(0);
    await writeFile(join(directory, "engine", "999999.ldb"), "as a broken compaction leaves it");
    expect((await tables()).length).toBe(before.length + 1);
    await removeStrayTables(join(directory, "engine"));
    expect(await tables()).toEqual(before);
    const recovered = await openAt(directory, { ...SMALL, freeBytesFloor: 1e18 });
    expect(recovered.damage).toEqual([]);
    expect(recovered.generation(1).entry(key("key 3"))?.winner.timestamp).toBe(584);
  });

  test("a wipe that is cut short by close goes on at the next start", async () => {
    const directory = await temporaryDirectory();
    const database = await openAt(directory);
    await fill(database, 60);
    await database.switchTo(2);
    const wiping = database.wipe(1);
    await database.close();
    expect(await wiping).toBe(false);
    const again = await openAt(directory);
    expect(again.damage).toEqual([]);
    expect(await again.generations()).toEqual([1]);
    expect(await again.wipe(1)).toBe(true);
    expect(await again.generations()).toEqual([]);
  });
});

describe("close", () => {
  test("waits for a commit under way, and refuses later ones", async () => {
    const engine = new FaultyEngine(await openMemoryEngine());
    const database = await Database.open({ engine });
    engine.hold();
    const committing = commitRecords(database.generation(1), record({ timestamp: 1 }));
    const order: string[] = [];
    const closing = database.close().then(() => order.push("closed"));
    void committing.then(() => order.push("committed"));
    engine.release();
    await Promise.all([committing, closing]);
    expect(order).toEqual(["committed", "closed"]);
    await expect(commitRecords(database.generation(2), record({ timestamp: 2 }))).rejects.toMatchObject({
      code: "STORAGE_FAILED",
    });
  });

  test("is the same close, however often it is asked for", async () => {
    const database = await Database.open({ memory: true });
    expect(database.close()).toBe(database.close());
    await database.close();
  });
});
