/** Who looks on: the oracle, and counters. */
import type { ChangeSet, PeerMessage, Write, WriteRecord } from "@meshkv/core";
import type { DiskOperation } from "./disk.ts";
import type { Machine } from "./machine.ts";
import type { Shell } from "./shell.ts";

export interface Observer {
  /** A process began; nothing of it is durable yet. */
  started(shell: Shell): void;
  /** A client's batch became records, in one atomic unit. */
  wrote(shell: Shell, writes: readonly Write[], records: readonly WriteRecord[]): void;
  /** A client that asked for no more was told the versions of its writes before these were durable. */
  toldEarly(records: readonly WriteRecord[]): void;
  /** A message goes out to a peer. */
  sent(shell: Shell, message: PeerMessage): void;
  /** The process handed a group to its disk. */
  committed(shell: Shell, generation: number, group: ChangeSet): void;
  /** An operation of a directory is durable; the process may be dead already. */
  durable(machine: Machine, operation: DiskOperation): void;
  /** A client was told that its writes are durable. */
  acknowledged(shell: Shell, records: readonly WriteRecord[]): void;
  event(shell: Shell, name: string, details: Readonly<Record<string, string | number>>): void;
  /** A process has handled an event, and all that followed at once. */
  afterEvent(shell: Shell): void;
}
