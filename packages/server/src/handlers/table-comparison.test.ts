import {
  type Entry,
  EMPTY_CONTEXT,
  type KeyText,
  makeRecord,
  type ReplicaId,
  type Version,
  type WriteRecord,
} from "@meshkv/core";
import { describe, expect, it } from "vitest";
import { type ComparedTable, type ComparisonScope, LocalSide, type TableReport } from "./comparison.ts";
import { TableComparison } from "./table-comparison.ts";

const ORIGIN = "000000000000000a" as ReplicaId;
const SCOPE: ComparisonScope = { meshId: "m", deadlinesAfterMs: 0 };
const VALUE = "x".repeat(1000);

function put(key: string, timestamp: number, value = VALUE): WriteRecord {
  return makeRecord({
    timestamp,
    origin: ORIGIN,
    key: key as KeyText,
    isDelete: false,
    value: new TextEncoder().encode(value),
    expiresAtMs: 0,
    context: EMPTY_CONTEXT,
    moreFollows: false,
    adopted: undefined,
  });
}

/** A table in memory; pages are as large as asked for. */
class MapTable implements ComparedTable {
  readonly entries = new Map<string, Entry>();
  seen = 0;
  /** Called before every look at single keys. */
  onLook: () => void = () => undefined;
  pages = 0;

  identity(): { replicaId: ReplicaId; meshId: string } {
    return { replicaId: ORIGIN, meshId: "m" };
  }

  put(record: WriteRecord): void {
    this.entries.set(record.key, { winner: record, siblings: [] });
    this.seen = Math.max(this.seen, record.timestamp);
  }

  async read(after: KeyText | undefined, bytesMax: number): Promise<{ entries: Entry[]; done: boolean }> {
    this.pages += 1;
    const keys = [...this.entries.keys()].sort().filter((key) => after === undefined || key > after);
    const entries: Entry[] = [];
    let bytes = 0;
    for (const key of keys) {
      if (bytes >= bytesMax) return { entries, done: false };
      const entry = this.entries.get(key);
      if (entry === undefined) continue;
      entries.push(entry);
      bytes += entry.winner.bytes.length;
    }
    return { entries, done: true };
  }

  entry(key: KeyText): Entry | undefined {
    return this.entries.get(key);
  }

  positions(): Version[] {
    this.onLook();
    return [{ origin: ORIGIN, timestamp: this.seen }];
  }

  digest(): string {
    return "";
  }

  async check(): Promise<TableReport> {
    return { keys: this.entries.size, digest: "", computedDigest: "", damagedRows: 0 };
  }
}

interface Outcome {
  readonly keys: string[];
  readonly comparison: TableComparison;
}

async function compare(here: ComparedTable, there: ComparedTable, patienceMs = 2000): Promise<Outcome> {
  const { signal } = new AbortController();
  const sides = { here: new LocalSide(here), there: new LocalSide(there) };
  const comparison = new TableComparison({ ...sides, scope: SCOPE, patienceMs, signal });
  const keys: string[] = [];
  for await (const news of comparison.run()) if (news.kind === "difference") keys.push(news.here.key);
  return { keys, comparison };
}

/** Two equal tables of some pages each. */
function pair(count = 3000): [MapTable, MapTable] {
  const [here, there] = [new MapTable(), new MapTable()];
  for (let number = 0; number < count; number += 1) {
    const record = put(`key/${String(number).padStart(6, "0")}`, number + 1);
    here.put(record);
    there.put(record);
  }
  return [here, there];
}

describe("comparing tables", () => {
  it("finds nothing where nothing differs, in pages", async () => {
    const [here, there] = pair();
    const { keys, comparison } = await compare(here, there);
    expect(keys).toEqual([]);
    expect(comparison).toMatchObject({ keys: 3000, differing: 0, unsettled: 0 });
    expect(there.pages).toBeGreaterThan(4);
    expect(there.pages).toBeLessThan(20);
  });

  it("names keys that are missing on either side, or have another version or content", async () => {
    const [here, there] = pair();
    here.entries.delete("key/000000");
    there.entries.delete("key/001500");
    there.entries.delete("key/002999");
    here.put(put("key/000777", 778, "altered"));
    here.put(put("key/000778", 5000));
    there.seen = 5000;
    for (const sides of [[here, there] as const, [there, here] as const]) {
      const { keys, comparison } = await compare(...sides);
      expect(keys.sort()).toEqual(["key/000000", "key/000777", "key/000778", "key/001500", "key/002999"]);
      expect(comparison).toMatchObject({ differing: 5, unsettled: 0 });
    }
  });

  it("copes with an empty table on either side", async () => {
    const [full] = pair(5000);
    const empty = new MapTable();
    empty.seen = full.seen;
    expect((await compare(full, empty)).comparison).toMatchObject({ differing: 5000, unsettled: 0 });
    expect((await compare(empty, full)).comparison).toMatchObject({
      differing: 5000,
      unsettled: 0,
      keys: 5000,
    });
  });

  it("waits for writes that are on their way", async () => {
    const [here, there] = pair(100);
    const late = put("key/000050", 1000);
    here.put(late);
    let looks = 0;
    there.onLook = () => {
      looks += 1;
      if (looks === 3) there.put(late);
    };
    const { keys, comparison } = await compare(here, there);
    expect(keys).toEqual([]);
    expect(comparison.unsettled).toBe(0);
    expect(looks).toBeGreaterThan(2);
  });

  it("says of what does not arrive that it is unsettled, not different", async () => {
    const [here, there] = pair(100);
    here.put(put("key/000050", 1000));
    const { keys, comparison } = await compare(here, there, 50);
    expect(keys).toEqual([]);
    expect(comparison).toMatchObject({ differing: 0, unsettled: 1 });
  });

  it("does not stumble over a key that is written all the time", async () => {
    const [here, there] = pair(100);
    let clock = 1000;
    here.put(put("key/000050", clock));
    here.onLook = () => here.put(put("key/000050", (clock += 2)));
    there.onLook = () => there.put(put("key/000050", (clock += 1)));
    const { keys, comparison } = await compare(here, there);
    expect(keys).toEqual([]);
    expect(comparison).toMatchObject({ differing: 0, unsettled: 0 });
  });
});
