/**
 * Clients with sessions that move between machines at random: whatever a session reads is at least as new as what it
 * wrote or read before, wherever, and whatever it writes comes after that; a replica that lacks something of it refuses.
 * The writes are those of the workload: the world runs as if there were no sessions.
 */
import {
  compareRecords,
  type Entry,
  isSameWrite,
  type KeyText,
  type Replica,
  SessionToken,
  type WriteRecord,
} from "@meshkv/core";
import type { Machine } from "./machine.ts";
import type { WorldParameters } from "./parameters.ts";
import type { Random } from "./random.ts";
import type { Shell } from "./shell.ts";
import { Violation } from "./violation.ts";

const SESSIONS = 3;

interface Session {
  readonly name: string;
  token: SessionToken;
  /** The newest that was seen of each key. */
  readonly seen: Map<KeyText, WriteRecord>;
}

export class SessionProbes {
  readonly #parameters: WorldParameters;
  readonly #random: Random;
  readonly #sessions: readonly Session[];
  /** Keys that anybody deleted, or gave a deadline: each may be gone, whatever was read of it before. */
  readonly #mortal = new Set<KeyText>();
  /** Whether a record would have lost against one that a replica has forgotten; told by who knows all records. */
  isBelowForgotten: (record: WriteRecord) => boolean = () => false;
  /** Whether the author of the one had seen the other, itself or through others; told by the same. */
  hadSeen: (later: WriteRecord, earlier: WriteRecord) => boolean = () => false;
  /** Whether the one comes after the other although its version is less; told by the same. */
  isAfter: (later: WriteRecord, earlier: WriteRecord) => boolean = () => false;
  /** Whether the one came from a clock that ran ahead, and competes by less than the other since; told by the same. */
  isLoweredBelow: (record: WriteRecord, other: WriteRecord) => boolean = () => false;
  /** Writes that were not acknowledged yet, by the session that made them, and what it had seen of their key. */
  readonly #writing = new Map<WriteRecord, readonly [Session, WriteRecord | undefined]>();
  readonly #writers: Random;
  /** Writes that were acknowledged, reads that were answered, and refusals. */
  writes = 0;
  reads = 0;
  refusals = 0;

  constructor(parameters: WorldParameters, random: Random, writers: Random) {
    this.#parameters = parameters;
    this.#writers = writers;
    this.#random = random;
    this.#sessions = Array.from({ length: SESSIONS }, (_, index) => ({
      name: `session ${index}`,
      token: new SessionToken(parameters.meshName),
      seen: new Map(),
    }));
  }

  /** Remembers what was written: where a key is gone, somebody must have deleted it or given it a deadline. */
  wrote(records: readonly WriteRecord[], { host }: Shell): void {
    for (const { key, isDelete, expiresAtMs } of records)
      if (isDelete || expiresAtMs > 0) this.#mortal.add(key);
    const session = this.#writers.pick(this.#sessions);
    if (!this.#enters(session, host.active.replica)) return;
    for (const record of records) this.#writing.set(record, [session, session.seen.get(record.key)]);
  }

  /** Writes are durable: whoever made them has seen them. */
  acknowledged(records: readonly WriteRecord[], { host }: Shell): void {
    for (const record of records) {
      const writing = this.#writing.get(record);
      if (writing === undefined) continue;
      this.#writing.delete(record);
      this.writes += 1;
      const [session, before] = writing;
      // What a clock wrote that ran hours ahead competes as of its adoption, if it does, and its version stays what it was
      // (rule C5).
      if (before !== undefined && compareRecords(record, before) <= 0 && !this.isAfter(record, before)) {
        throw new Violation(
          "always-session",
          `${session.name} writes ${describe(record)} of ${record.key}, after it saw ${describe(before)}`,
        );
      }
      session.token.sawVersion(record, host.active.replica);
      const last = session.seen.get(record.key);
      if (last === undefined || compareRecords(record, last) > 0) session.seen.set(record.key, record);
    }
  }

  /** Passes the token through its bytes; false when the replica lacks something of the session. */
  #enters(session: Session, replica: Replica): boolean {
    const result = SessionToken.decode(session.token.encode(replica), this.#parameters.meshName);
    if ("problem" in result) throw new Violation("always-session", result.problem);
    session.token = result.token;
    return session.token.missingAt(replica) === undefined;
  }

  /** One session reads one key somewhere. */
  act(machines: readonly Machine[]): void {
    const random = this.#random;
    const machine = random.pick(machines);
    const session = random.pick(this.#sessions);
    const key = `k${random.below(this.#parameters.keys)}` as KeyText;
    const { shell } = machine;
    if (shell === undefined) return;
    const { replica, generation } = shell.host.active;
    // A replica that was never a member of anything durable serves nothing yet.
    if (replica.identity.damaged || replica.durableVector.size === 0) return;
    this.#read(session, replica, key, machine.disk.tables(generation).entry(key));
  }

  #read(session: Session, replica: Replica, key: KeyText, entry: Entry | undefined): void {
    if (!this.#enters(session, replica)) {
      this.refusals += 1;
      return;
    }
    this.reads += 1;
    session.token.sawEntry(entry, replica);
    const last = session.seen.get(key);
    if (last !== undefined && !this.#isAsNew(entry, last)) {
      const found = entry === undefined ? "nothing" : describe(entry.winner);
      throw new Violation(
        "always-session",
        `${session.name} reads ${found} of ${key} at ${replica.id}, after ${describe(last)}`,
      );
    }
    if (entry !== undefined) session.seen.set(key, entry.winner);
  }

  #isAsNew(entry: Entry | undefined, last: WriteRecord): boolean {
    if (entry === undefined || entry.winner.isDelete) {
      // Deletes are forgotten, and what has expired; clocks of machines differ by what faults make of them. After that
      // an older delete may come from another mesh: a reader is shown the same.
      return this.#mortal.has(last.key);
    }
    const { winner } = entry;
    if (isSameWrite(winner, last) || compareRecords(winner, last) >= 0 || this.hadSeen(winner, last))
      return true;
    if (this.isLoweredBelow(last, winner)) return true;
    // Another mesh, in which this was written beside what is forgotten, came in, or was joined: it is new to everybody here.
    return !this.hadSeen(last, winner) && this.isBelowForgotten(winner);
  }
}

function describe({ timestamp, origin, adopted, isDelete }: WriteRecord): string {
  const what = isDelete ? "delete" : "put";
  const from = adopted === undefined ? "" : `, adopted from ${adopted.timestamp}@${adopted.origin}`;
  return `${what} ${timestamp}@${origin}${from}`;
}
