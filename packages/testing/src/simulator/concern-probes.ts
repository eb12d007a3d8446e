/**
 * Writes that wait for several replicas: when a writer's replica takes one for durable on so many, it is, on as many
 * disks; so it survives the loss of all of them but one.
 */
import { heldLevel, holdingMembers, type ReplicaId, type WriteRecord } from "@meshkv/core";
import type { Machine } from "./machine.ts";
import type { Oracle } from "./oracle/oracle.ts";
import type { Random } from "./random.ts";
import { describeRecord, type Shell } from "./shell.ts";
import { Violation } from "./violation.ts";

interface Waiting {
  readonly record: WriteRecord;
  readonly shell: Shell;
  readonly writer: ReplicaId;
  readonly count: number;
}

/** Those that never come to an end are given up, oldest first. */
const WAITING_MAX = 50;

export class ConcernProbes {
  readonly #random: Random;
  readonly #oracle: Oracle;
  #waiting: Waiting[] = [];
  /** Writes whose concern was met. */
  met = 0;

  constructor(random: Random, oracle: Oracle) {
    this.#random = random;
    this.#oracle = oracle;
  }

  /** A write is durable where it was made: now it waits for others. */
  acknowledged(records: readonly WriteRecord[], shell: Shell): void {
    const record = records.at(-1);
    if (record === undefined) return;
    const count = this.#random.between(2, 4);
    this.#waiting.push({ record, shell, writer: shell.host.active.replica.id, count });
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
  }

  /** Answers all that can be answered. */
  act(machines: readonly Machine[]): void {
    this.#waiting = this.#waiting.filter((waiting) => {
      const { record, shell, writer, count } = waiting;
      const { replica, peering } = shell.host.active;
      // Who made it may be another replica by now; then nobody counts for it here.
      if (!shell.isRunning || replica.id !== writer) return false;
      const members = holdingMembers(replica.durableMembers);
      const level = heldLevel(members, (id) => peering.knowledgeOf(id), writer, count);
      if (level < record.timestamp) return true;
      this.#judge(waiting, machines);
      return false;
    });
  }

  #judge({ record, count }: Waiting, machines: readonly Machine[]): void {
    this.met += 1;
    const holding = machines.filter((machine) => this.#oracle.holds(machine, record));
    if (holding.length >= count) return;
    const where = holding.map(({ address }) => address).join(" ");
    throw new Violation(
      "always-as-many-disks",
      `${describeRecord(record)} was told durable on ${count} replicas, and is on ${where}`,
    );
  }
}
