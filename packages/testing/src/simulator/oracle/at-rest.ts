/** What must hold when faults and clients have ended and everything has been exchanged. */
import { Digest } from "@meshkv/core";
import type { Machine } from "../machine.ts";
import { describeRecord } from "../shell.ts";
import { Violation } from "../violation.ts";
import { checkEqual } from "./equality.ts";
import { isSuperseded } from "./holdings.ts";
import { describeKept, mayStay } from "./leftovers.ts";
import type { Oracle } from "./oracle.ts";

/**
 * Why the world is not at rest; undefined when it is.
 * @param hasLostDisks directories are gone, and with them writes that others had seen
 */
export function whyNotSettled(machines: readonly Machine[], hasLostDisks: boolean): string | undefined {
  const [first] = machines;
  if (first?.shell === undefined) return "nobody lives";
  for (const { shell, address } of machines) {
    if (shell === undefined) return `${address} is down`;
    if (shell.host.rejoin !== undefined) return `${address} rejoins: ${shell.host.rejoin.phase}`;
    const { members } = shell.host.active.replica;
    if (members.current().length !== machines.length)
      return `${address} sees members ${members.current().join(" ")}`;
  }
  const { durableVector: vector, members } = first.shell.host.active.replica;
  for (const { shell, address } of machines) {
    const replica = shell?.host.active.replica;
    if (replica?.durableVector.equals(vector) === false) return `V of ${address} differs`;
  }
  const rest = { vector, members, nowMs: first.wallMs(), hasLostDisks };
  for (const { disk, address } of machines) {
    const { logs, entries } = disk.tables(disk.current);
    for (const [origin, log] of logs) {
      const record = log.find((kept) => !mayStay(kept, entries.get(kept.key), rest));
      if (record !== undefined)
        return `${address} keeps log of ${origin}: ${describeKept(record, entries.get(record.key), rest)}`;
    }
    for (const entry of entries.values()) {
      const { winner } = entry;
      // What was written under a clock that ran ahead may have its deadline hours from now.
      const isOver = winner.isDelete || (winner.expiresAtMs > 0 && winner.expiresAtMs <= rest.nowMs);
      if (isOver && !mayStay(winner, entry, rest))
        return `${address} keeps ${describeKept(winner, entry, rest)}`;
    }
  }
  return undefined;
}

/** The final checks. */
export function checkEnd(oracle: Oracle, machines: readonly Machine[]): void {
  for (const machine of machines)
    for (const other of machines) if (machine.index < other.index) checkEqual(machine, other);
  for (const machine of machines) checkDigest(machine);
  const all = machines.map((machine) => ({ machine, held: oracle.current(machine) }));
  for (const { held } of all) {
    for (const issued of held.all()) {
      const { number, record } = issued;
      for (const { machine, held: other } of all) {
        const known = other.keys.get(record.key);
        if (known !== undefined && (known.writes.has(number) || isSuperseded(issued, known))) continue;
        throw new Violation(
          "eventually-everywhere",
          `${machine.address} never got ${describeRecord(record)}`,
        );
      }
    }
  }
}

function checkDigest(machine: Machine): void {
  const digest = new Digest();
  const { disk, shell, address } = machine;
  for (const { winner } of disk.tables(disk.current).entries.values()) {
    if (!winner.isDelete && winner.expiresAtMs === 0) digest.add(winner.key, winner.timestamp, winner.origin);
  }
  const kept = shell?.host.active.replica.durableDigest.summary();
  if (kept !== digest.summary())
    throw new Violation("always-digest", `${address}: ${kept} is kept, ${digest.summary()} is true`);
}
