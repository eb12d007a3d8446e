/** Builds commit groups as the core would fill them. */
import {
  ChangeSet,
  EMPTY_CONTEXT,
  type Entry,
  type KeyText,
  makeRecord,
  mergeRecord,
  type RecordFields,
  type ReplicaId,
  type WriteRecord,
} from "@meshkv/core";
import type { Generation } from "../src/generation.ts";

export const ORIGIN = "00000000000000aa" as ReplicaId;
export const OTHER = "00000000000000bb" as ReplicaId;

export function key(text: string): KeyText {
  return text as KeyText;
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A put of `ORIGIN` without deadline, unless told otherwise. */
export function record(fields: Partial<RecordFields> & { readonly timestamp: number }): WriteRecord {
  const isDelete = fields.isDelete ?? false;
  return makeRecord({
    origin: ORIGIN,
    key: key("k"),
    isDelete,
    value: isDelete ? new Uint8Array(0) : bytes(`value ${fields.timestamp}`),
    expiresAtMs: 0,
    context: EMPTY_CONTEXT,
    moreFollows: false,
    adopted: undefined,
    ...fields,
  });
}

/** Adds a record to a group, merged over what the table and the group hold. */
export function accept(group: ChangeSet, table: Generation, written: WriteRecord): void {
  const change = group.entries.get(written.key);
  const before = change === undefined ? table.entry(written.key) : change.before;
  const known = change === undefined ? before : change.after;
  setEntry(group, table, written.key, mergeRecord(known, written));
  group.records.push(written);
}

/** Puts an entry, or nothing, in place. */
export function setEntry(group: ChangeSet, table: Generation, name: KeyText, after: Entry | undefined): void {
  const change = group.entries.get(name);
  if (change === undefined) group.entries.set(name, { before: table.entry(name), after });
  else change.after = after;
  group.bytes += 200;
}

/** Commits records as one group. */
export async function commitRecords(table: Generation, ...records: readonly WriteRecord[]): Promise<void> {
  const group = new ChangeSet(1);
  for (const written of records) accept(group, table, written);
  await table.commit(group);
}
