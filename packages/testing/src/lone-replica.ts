/** One replica on tables in memory, for tests of what it does without peers. */
import {
  type Action,
  type ChangeSet,
  decodeState,
  foundingState,
  type KeyText,
  MemberSet,
  Replica,
  type ReplicaId,
  type ReplicaState,
  type ScanResult,
  timestampFromMs,
  type WriteRecord,
} from "@meshkv/core";
import { startId } from "./arbitraries/identifiers.ts";
import { SimulatedTables } from "./simulator/tables.ts";

/** The part of an outbox that hands out scans and takes their answers; by shape, since the core keeps it to itself. */
export interface Scans {
  take(): Action[];
  scanned(id: number, result: ScanResult, nowMs: number): void;
  durable(group: number): void;
  resume(nowMs: number): void;
}

/** A replica with its tables and its clock; commits happen when the test says so. */
export class LoneReplica {
  readonly tables = new SimulatedTables(true);
  nowMs: number;
  replica: Replica;
  #starts = 0;

  /**
   * @param id the replica's id
   * @param nowMs its wall clock, in Unix milliseconds
   * @param members other members, beside itself
   */
  constructor(id: ReplicaId, nowMs: number, members: readonly ReplicaId[] = []) {
    this.nowMs = nowMs;
    const state = foundingState(id, "default", timestampFromMs(nowMs), "");
    const self = state.members.get(id);
    if (self === undefined) throw new Error("a founder is a member");
    const all = new MemberSet([id, ...members].map((member) => [member, self]));
    this.replica = this.#begin({ ...state, members: all });
  }

  #begin(state: ReplicaState): Replica {
    const replica = new Replica(state, this.tables);
    this.#starts += 1;
    replica.beginStart(startId(this.#starts));
    return replica;
  }

  /** Writes one put, or a delete when `value` is undefined. */
  write(key: string, value: string | undefined, expiresAtMs = 0): WriteRecord {
    const bytes = value === undefined ? undefined : new TextEncoder().encode(value);
    const [record] = this.replica.write([{ key: key as KeyText, value: bytes, expiresAtMs }], this.nowMs);
    if (record === undefined) throw new Error("one write makes one record");
    return record;
  }

  /** Makes everything durable that waits. Returns the last group. */
  commit(): ChangeSet | undefined {
    let last: ChangeSet | undefined;
    for (let group = this.replica.takeGroup(); group !== undefined; group = this.replica.takeGroup()) {
      this.tables.apply(group);
      this.replica.groupDurable();
      last = group;
    }
    return last;
  }

  /** Commits and answers scans until nothing follows any more; returns what else is to be done. */
  settle(outbox: Scans): Action[] {
    const others: Action[] = [];
    for (;;) {
      const group = this.commit();
      if (group !== undefined) outbox.durable(group.number);
      let actions = outbox.take();
      if (actions.length === 0) {
        outbox.resume(this.nowMs);
        actions = outbox.take();
      }
      for (const action of actions) {
        if (action.kind === "scan") outbox.scanned(action.id, this.tables.scan(action.request), this.nowMs);
        else others.push(action);
      }
      if (actions.length === 0 && !this.replica.hasChanges) return others;
    }
  }

  /** The process ends at once, whatever was not durable is lost, and a new one begins. */
  restart(): void {
    this.replica = this.#begin(decodeState(this.tables.sections));
  }
}
