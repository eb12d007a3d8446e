import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { foundingState, positionAt, Replica, type StartId, timestampFromMs } from "@meshkv/core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { bytes, key, ORIGIN, OTHER, record } from "../../test/groups.ts";
import { crashImage, temporaryDirectory } from "../../test/temporary.ts";
import { Database } from "../database.ts";
import { type EngineBatch, openClassicEngine } from "../engine.ts";
import type { Generation } from "../generation.ts";
import { encodeSealed } from "../group-rows.ts";
import { conflictedRow, entryRow, expiryRow, logRow, rootRow, sectionRow, settledRow } from "../row-keys.ts";
import { fsck } from "./fsck.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const LATER_MS = NOW_MS + 3_600_000;
const OPTIONS = { writeBufferBytes: 1 << 20, blockCacheBytes: 1 << 20 };

/** A stopped replica's directory with something in every table, as the core fills them. */
let healthy: string;
/** The timestamp of the other origin's record, which lost. */
const LOSER_AT = timestampFromMs(NOW_MS) + 1;
/** Greater than every timestamp of this replica. */
const BEYOND = timestampFromMs(NOW_MS + 1_000_000);

async function commit(replica: Replica, table: Generation): Promise<void> {
  const group = replica.takeGroup();
  if (group === undefined) return;
  await table.commit(group);
  replica.groupDurable();
}

async function fill(directory: string): Promise<void> {
  const database = await Database.open({ directory });
  const table = database.generation(1);
  const replica = new Replica(foundingState(ORIGIN, "default", timestampFromMs(NOW_MS), ""), table);
  replica.beginStart("5000000000000001" as StartId);
  await commit(replica, table);
  const put = (name: string, expiresAtMs = 0) => ({ key: key(name), value: bytes(name), expiresAtMs });
  const contested = record({ timestamp: LOSER_AT, origin: OTHER, key: key("contested") });
  const settled = record({ timestamp: LOSER_AT + 1, origin: OTHER, key: key("settled") });
  replica.accept(OTHER, [contested, settled], positionAt(LOSER_AT + 1), NOW_MS);
  await commit(replica, table);
  // Written as if this replica had not seen the other's records yet.
  for (const name of ["contested", "settled"]) {
    const own = record({ timestamp: replica.clock.tick(NOW_MS), key: key(name) });
    replica.accept(ORIGIN, [own], positionAt(own.timestamp), NOW_MS);
  }
  await commit(replica, table);
  replica.write([put("settled"), put("plain"), put("timed", LATER_MS), put("deleted")], NOW_MS + 1);
  await commit(replica, table);
  replica.write([{ key: key("deleted"), value: undefined, expiresAtMs: 0 }], NOW_MS + 2);
  await commit(replica, table);
  await database.close();
}

/** A copy of the healthy directory with rows changed behind the store's back. */
async function tamper(
  change: (batch: EngineBatch, read: (row: Uint8Array) => Uint8Array) => void,
): Promise<string> {
  const copy = await crashImage(healthy);
  const engine = await openClassicEngine(join(copy, "engine"), OPTIONS);
  const batch = engine.batch();
  change(batch, (row) => Uint8Array.from(engine.getSync(row) ?? []));
  await batch.write({ sync: true });
  await engine.close();
  return copy;
}

async function findingsOf(directory: string): Promise<string[]> {
  return (await fsck(directory)).findings.map(({ kind, message }) => `${kind}: ${message}`);
}

beforeAll(async () => {
  healthy = await mkdtemp(join(tmpdir(), "meshkv-fsck-"));
  await fill(healthy);
});

afterAll(() => rm(healthy, { recursive: true }));

describe("fsck of a directory in order", () => {
  test("finds nothing, and counts what it read", async () => {
    const { findings, counts } = await fsck(healthy);
    expect(findings).toEqual([]);
    expect(counts).toMatchObject({
      entries: 4,
      tombstones: 1,
      siblings: 1,
      logRecords: 9,
      expiries: 1,
      conflictedKeys: 1,
      settledConflicts: 1,
      sections: 3,
    });
  });

  test("changes nothing that matters and leaves nothing behind", async () => {
    const directory = await crashImage(healthy);
    // The engine's own diary changes its name whenever the engine looks at its directory.
    const snapshot = async (): Promise<string[]> => {
      const names = (await readdir(directory, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile() && !entry.name.startsWith("LOG"))
        .map((entry) => join(entry.parentPath, entry.name));
      return Promise.all(names.sort().map(async (name) => `${name} ${await readFile(name, "hex")}`));
    };
    const before = await snapshot();
    expect(await findingsOf(directory)).toEqual([]);
    expect(await snapshot()).toEqual(before);
  });

  test("finds nothing after an unclean stop, in a new directory, or beside an unfinished rejoin", async () => {
    const directory = await crashImage(healthy);
    await rm(join(directory, "CLEAN"));
    expect(await findingsOf(directory)).toEqual([]);
    const empty = await temporaryDirectory();
    await (await Database.open({ directory: empty })).close();
    expect(await findingsOf(empty)).toEqual([]);
    const unfinished = await tamper((batch) => batch.put(entryRow(2, key("half")), bytes("anything")));
    expect(await fsck(unfinished)).toMatchObject({ findings: [], counts: { rowsOfOtherGenerations: 1 } });
  });
});

describe("fsck refuses", () => {
  test("a directory that is open", async () => {
    const directory = await crashImage(healthy);
    const database = await Database.open({ directory });
    onTestFinished(() => database.close());
    await expect(fsck(directory)).rejects.toMatchObject({ code: "DIRECTORY_LOCKED" });
  });

  test("a directory without a database, or with one of another format", async () => {
    const directory = await temporaryDirectory();
    await expect(fsck(directory)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(fsck(join(directory, "nowhere"))).rejects.toMatchObject({ code: "NOT_FOUND" });
    await writeFile(join(directory, "FORMAT"), "meshkv storage 7\n");
    await expect(fsck(directory)).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
  });
});

describe("fsck finds", () => {
  test("damaged files, and what an earlier check found", async () => {
    const directory = await crashImage(healthy);
    const log = (await readdir(join(directory, "engine"))).find((name) => name.endsWith(".log")) ?? "none";
    const content = await readFile(join(directory, "engine", log));
    content[100] = (content[100] ?? 0) ^ 1;
    await writeFile(join(directory, "engine", log), content);
    await writeFile(join(directory, "DAMAGE"), "something\n");
    expect(await findingsOf(directory)).toEqual(
      expect.arrayContaining([
        "damage: an earlier check found: something",
        expect.stringMatching(/^file: \d+\.log at byte \d+: the checksum/),
      ]),
    );
  });

  test("a missing manifest, and goes on with what can be read", async () => {
    const directory = await crashImage(healthy);
    await writeFile(join(directory, "engine", "CURRENT"), "MANIFEST-999999\n");
    expect(await findingsOf(directory)).toEqual(["file: MANIFEST-999999 at byte 0: the manifest is missing"]);
  });

  test("an entry with a flipped bit", async () => {
    const directory = await tamper((batch, read) => {
      const value = read(entryRow(1, key("plain")));
      value[10] = (value[10] ?? 0) ^ 1;
      batch.put(entryRow(1, key("plain")), value);
    });
    expect(await findingsOf(directory)).toEqual([
      expect.stringMatching(/^row: .*checksum/),
      expect.stringMatching(/^digest: .*4 keys.* 3/),
      expect.stringMatching(/^digest: .*1 buckets/),
    ]);
  });

  test("an entry that is missing", async () => {
    const directory = await tamper((batch) => batch.del(entryRow(1, key("timed"))));
    expect(await findingsOf(directory)).toEqual([
      expect.stringMatching(/^expiry: .*"timed"/),
      expect.stringMatching(/^digest: .*4 keys.* 3/),
    ]);
  });

  test("an entry that is not the winner of its log, and is not in it", async () => {
    const directory = await tamper((batch, read) => {
      const old = record({ timestamp: 4, key: key("plain") });
      batch.put(entryRow(1, key("plain")), Uint8Array.of(1, 0, ...old.bytes));
      batch.put(entryRow(1, key("plainer")), read(entryRow(1, key("plain"))));
    });
    expect(await findingsOf(directory)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^coverage: record 4 .*"plain" is not in the log/),
        expect.stringMatching(/^coverage: record .*"plain" is in a log and beats/),
        expect.stringMatching(/^row: .*another key/),
      ]),
    );
  });

  test("expiry rows and entries that disagree", async () => {
    const missing = await tamper((batch) => batch.del(expiryRow(1, LATER_MS, key("timed"))));
    expect(await findingsOf(missing)).toEqual([expect.stringMatching(/^expiry: key "timed" has a deadline/)]);
    const stray = await tamper((batch) => batch.put(expiryRow(1, 5, key("plain")), bytes("")));
    expect(await findingsOf(stray)).toEqual([expect.stringMatching(/^expiry: .*"plain"/)]);
  });

  test("conflict markers and entries that disagree", async () => {
    const missing = await tamper((batch) => batch.del(conflictedRow(1, key("contested"))));
    expect(await findingsOf(missing)).toEqual([expect.stringMatching(/^conflicted: key "contested"/)]);
    const stray = await tamper((batch) => batch.put(conflictedRow(1, key('pl"ain\x00')), bytes("")));
    expect(await findingsOf(stray)).toEqual([expect.stringContaining('"pl\\x22ain\\x00"')]);
  });

  test("logs that the state contradicts", async () => {
    const beyond = record({ timestamp: BEYOND, origin: OTHER, key: key("contested"), moreFollows: true });
    const directory = await tamper((batch) => {
      batch.put(logRow(1, OTHER, BEYOND), beyond.bytes);
      batch.put(logRow(1, ORIGIN, 3), beyond.bytes);
    });
    expect(await findingsOf(directory)).toEqual([
      expect.stringMatching(/^row: .*another version/),
      expect.stringMatching(/^log: .*beyond what this replica claims/),
      expect.stringMatching(/^coverage: .*beats/),
      expect.stringMatching(/^log: the log of 00000000000000bb ends inside a batch/),
    ]);
  });

  test("rows of the state that are missing, damaged or unknown", async () => {
    const missing = await tamper((batch) => batch.del(sectionRow(1, "members")));
    expect(await findingsOf(missing)).toEqual(["state: state section members is missing"]);
    const damaged = await tamper((batch) => batch.put(sectionRow(1, "members"), bytes("\0\0\0\0 nonsense")));
    expect(await findingsOf(damaged)).toEqual(["state: section members: row checksum does not match"]);
    const unknown = await tamper((batch) => {
      batch.put(sectionRow(1, "novel" as "members"), encodeSealed(bytes("")));
      batch.put(rootRow("novel"), bytes(""));
      batch.put(Uint8Array.of(0, 0, 0, 1, 0x7a), bytes(""));
      batch.put(settledRow(1, key("k"), 1, ORIGIN), bytes("nonsense"));
    });
    expect(await findingsOf(unknown)).toEqual([
      expect.stringMatching(/^row: root row/),
      "state: section novel is not known",
      expect.stringMatching(/^row: .*checksum/),
      expect.stringMatching(/^row: .*no table/),
    ]);
  });

  test("that nothing names the current generation", async () => {
    const missing = await tamper((batch) => batch.del(rootRow("generation")));
    expect(await findingsOf(missing)).toEqual(["generation: no row names the current generation"]);
    const damaged = await tamper((batch) => batch.put(rootRow("generation"), bytes("x")));
    expect(await findingsOf(damaged)).toEqual([expect.stringMatching(/^generation: the row that names/)]);
  });
});
