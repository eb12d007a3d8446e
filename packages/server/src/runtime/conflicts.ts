/** Kept losers, read from the tables of one generation. */
import {
  conflictsOf,
  isExpired,
  type KeyText,
  MeshkvError,
  PAGE_BYTES_MAX,
  type ReplicaId,
  type ScanRequest,
  type ScanResult,
  type Version,
  type WriteRecord,
} from "@meshkv/core";
import type { Generation } from "@meshkv/store";
import type { ConflictRange, KeptLoser, KeyConflicts } from "../handlers/local-replica.ts";

const SCAN_KEYS = 500;
const SCAN_BYTES = 256 * 1024;
const FIRST_ORIGIN = "0000000000000000" as ReplicaId;

async function scan<Kind extends ScanRequest["kind"]>(
  generation: Generation,
  request: Extract<ScanRequest, { kind: Kind }>,
): Promise<Extract<ScanResult, { kind: Kind }>> {
  const result = await generation.scan(request);
  if (result.kind === "failed") throw new MeshkvError("STORAGE_FAILED", result.message);
  return result as Extract<ScanResult, { kind: Kind }>;
}

/** Keys that may have unsettled losers, from `start` on. */
async function* conflictedKeys(generation: Generation, start: KeyText | undefined): AsyncGenerator<KeyText> {
  // A scan begins after a key: the first one is looked at by itself.
  if (start !== undefined) yield start;
  let after = start;
  for (;;) {
    const { keys, done } = await scan<"conflicted">(generation, {
      kind: "conflicted",
      after,
      countMax: SCAN_KEYS,
    });
    yield* keys;
    after = keys.at(-1);
    if (done || after === undefined) return;
  }
}

/** Settled losers from a key on, in the order of key and version. */
async function* settledLosers(
  generation: Generation,
  start: KeyText | undefined,
): AsyncGenerator<WriteRecord> {
  let after = start === undefined ? undefined : { key: start, timestamp: 0, origin: FIRST_ORIGIN };
  for (;;) {
    const { conflicts, done } = await scan<"settled">(generation, {
      kind: "settled",
      after,
      bytesMax: SCAN_BYTES,
    });
    for (const { record } of conflicts) yield record;
    const last = conflicts.at(-1)?.record;
    if (done || last === undefined) return;
    after = last;
  }
}

/** Settled losers by key. Of each key the newest, as far as a page holds them. */
async function* settledKeys(
  losers: AsyncGenerator<WriteRecord>,
  nowMs: number,
): AsyncGenerator<{ readonly key: KeyText; readonly losers: readonly KeptLoser[] }> {
  let key: KeyText | undefined;
  let kept: KeptLoser[] = [];
  let bytes = 0;
  for await (const record of losers) {
    if (record.key !== key) {
      if (key !== undefined && kept.length > 0) yield { key, losers: kept.reverse() };
      key = record.key;
      kept = [];
      bytes = 0;
    }
    if (isExpired(record, nowMs)) continue;
    kept.push({ record, isSettled: true });
    bytes += record.value.length;
    while (bytes > PAGE_BYTES_MAX && kept.length > 1) bytes -= kept.shift()?.record.value.length ?? 0;
  }
  if (key !== undefined && kept.length > 0) yield { key, losers: kept.reverse() };
}

/** A page of conflicts. @throws MeshkvError STORAGE_FAILED */
export async function readConflicts(
  generation: Generation,
  { start, end, limit, bytesMax, withSettled }: ConflictRange,
  nowMs: number,
): Promise<{ found: readonly KeyConflicts[]; more: boolean }> {
  const keys = conflictedKeys(generation, start);
  const settled = withSettled ? settledKeys(settledLosers(generation, start), nowMs) : undefined;
  const found: KeyConflicts[] = [];
  let bytes = 0;
  try {
    let [key, group] = [(await keys.next()).value, (await settled?.next())?.value];
    for (;;) {
      const next = leastOf(key, group?.key);
      if (next === undefined || (end !== undefined && next >= end)) return { found, more: false };
      const entry = generation.entry(next);
      const unsettled =
        next === key && entry !== undefined
          ? conflictsOf(entry).filter((record) => !isExpired(record, nowMs))
          : [];
      const losers = withinPage([
        ...unsettled.map((record): KeptLoser => ({ record, isSettled: false })),
        ...(next === group?.key ? group.losers : []),
      ]);
      if (next === group?.key) group = (await settled?.next())?.value;
      if (next === key) key = (await keys.next()).value;
      if (losers.length === 0) continue;
      bytes += next.length + (entry?.winner.value.length ?? 0);
      for (const { record } of losers) bytes += record.value.length;
      if (found.length === limit || (found.length > 0 && bytes > bytesMax)) return { found, more: true };
      found.push({ key: next, entry, losers });
    }
  } finally {
    await keys.return(undefined);
    await settled?.return(undefined);
  }
}

function leastOf(a: KeyText | undefined, b: KeyText | undefined): KeyText | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}

function withinPage(losers: readonly KeptLoser[]): readonly KeptLoser[] {
  let bytes = 0;
  const over = losers.findIndex(({ record }, index) => {
    bytes += record.value.length;
    return index > 0 && bytes > PAGE_BYTES_MAX;
  });
  return over < 0 ? losers : losers.slice(0, over);
}

/** Finds a kept loser of a key, unsettled or settled. @throws MeshkvError STORAGE_FAILED */
export async function findLoser(
  generation: Generation,
  key: KeyText,
  version: Version,
): Promise<KeptLoser | undefined> {
  const entry = generation.entry(key);
  const unsettled = entry && conflictsOf(entry).find((record) => isNamed(record, version));
  if (unsettled !== undefined) return { record: unsettled, isSettled: false };
  for await (const record of settledLosers(generation, key)) {
    if (record.key !== key) return undefined;
    if (isNamed(record, version)) return { record, isSettled: true };
  }
  return undefined;
}

/** An adopted record goes by two names: somebody may have listed it before it was adopted. */
function isNamed(record: WriteRecord, { timestamp, origin }: Version): boolean {
  const { adopted } = record;
  return (
    (record.timestamp === timestamp && record.origin === origin) ||
    (adopted !== undefined && adopted.timestamp === timestamp && adopted.origin === origin)
  );
}
