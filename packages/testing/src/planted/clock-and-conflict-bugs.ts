/** Clocks and conflicts: rules C1 to C5, X1 and X2. */
import { bySimulator, byScenario, inCore, type PlantedBug } from "./planted-bug.ts";

export const CLOCK_AND_CONFLICT_BUGS: readonly PlantedBug[] = [
  {
    name: "clock-far-ahead-is-taken",
    rule: "C1",
    effect: "one clock ten years ahead drags all clocks along",
    patches: [
      inCore(
        "session/handshake.ts",
        "const apart = Math.abs(mine.wallMs - theirs.wallMs); if (apart > driftMsMax) return refuseSkew(apart, driftMsMax);",
        "if (driftMsMax > 0) return undefined; const apart = Math.abs(mine.wallMs - theirs.wallMs);",
      ),
      inCore("session/receiver.ts", "if (aheadMs > driftMsMax)", "if (aheadMs > Number.MAX_SAFE_INTEGER)"),
    ],
    hunt: byScenario("a-clock-far-ahead-drags-nobody-along"),
  },
  {
    name: "frame-from-the-future-is-taken",
    rule: "C1",
    effect: "a clock that runs away after the greeting drags all clocks along",
    patches: [
      inCore("session/receiver.ts", "if (aheadMs > driftMsMax)", "if (aheadMs > Number.MAX_SAFE_INTEGER)"),
    ],
    hunt: byScenario("a-clock-that-runs-away-drags-nobody-along"),
  },
  {
    name: "wrong-clock-goes-on-writing",
    rule: "C2",
    effect: "a replica whose clock is off writes values that win or lose for no reason",
    patches: [
      inCore(
        "session/peer-clocks.ts",
        "return Math.abs(median) > OFF_SHARE * driftMsMax;",
        "return Math.abs(median) < 0;",
      ),
    ],
    hunt: byScenario("a-clock-off-the-median-stops-writes"),
  },
  {
    name: "restart-forgets-the-clock",
    rule: "C3",
    effect: "after a restart with a clock that was set back, versions are used twice",
    patches: [
      inCore(
        "replica/replica.ts",
        "this.clock = new HybridClock(progress.clockMark);",
        "this.clock = new HybridClock(0);",
      ),
      inCore(
        "replica/replica.ts",
        "for (const [, { timestamp }] of progress.vector.entries()) this.clock.observe(timestamp);",
        "",
      ),
    ],
    hunt: bySimulator("kill", "clock-step"),
  },
  {
    name: "expiry-is-a-write",
    rule: "C4",
    effect: "every replica mints a delete for every key that expires",
    patches: [
      inCore(
        "replica/forgetting.ts",
        "this.#replica.setEntry(row.key, undefined); }",
        "this.#replica.write([{ key: row.key, value: undefined, expiresAtMs: 0 }], nowMs); }",
      ),
    ],
    hunt: byScenario("expiry-writes-nothing"),
  },
  {
    name: "runaway-timestamps-are-observed",
    rule: "C5",
    effect: "a mended clock's records drag the clocks of the mesh along as it comes back",
    patches: [
      inCore(
        "replica/replica.ts",
        "if (record.timestamp <= timestampFromMs(nowMs + CLOCK_DRIFT_MS_MAX)) this.clock.observe(record.timestamp);",
        "this.clock.observe(record.timestamp);",
      ),
    ],
    hunt: byScenario("a-mended-clock-comes-back"),
  },
  {
    name: "runaway-rank-is-kept",
    rule: "C5",
    effect: "what was written under a clock far ahead cannot be overwritten for years",
    patches: [
      inCore("replica/adoption.ts", "if (rankOf(record) <= present) return record;", "return record;"),
      inCore("replica/adoption.ts", "rank: Math.min(rank, version.timestamp),", "rank,"),
    ],
    hunt: byScenario("a-mended-clock-comes-back"),
    maskedBy: "no rank above the version of its adoption",
  },
  {
    name: "losers-are-dropped",
    rule: "X1",
    effect: "a concurrent value is lost without a word",
    patches: [inCore("merge.ts", "siblings.push(known);", "if (known.isDelete) siblings.push(known);")],
    hunt: bySimulator("part-pair", "heal"),
  },
  {
    name: "late-losers-are-dropped",
    rule: "X1",
    effect: "which conflicts a replica lists depends on the order of arrival",
    patches: [
      inCore(
        "merge.ts",
        "if (winner !== record && !others.some((known) => covers(known, record))) siblings.push(record);",
        "",
      ),
    ],
    hunt: bySimulator("part-pair", "heal"),
  },
  {
    name: "seen-losers-are-listed",
    rule: "X1",
    effect: "every overwrite is a conflict",
    patches: [
      inCore(
        "merge.ts",
        "if (known === winner || covers(record, known)) continue;",
        "if (known === winner) continue;",
      ),
      inCore(
        "merge.ts",
        "if (entry === undefined || isPlainSuccessor(entry, record))",
        "if (entry === undefined)",
      ),
    ],
    hunt: bySimulator("cut"),
  },
  {
    name: "equal-losers-are-listed",
    rule: "X1",
    effect: "the same value written twice is a conflict",
    patches: [
      inCore(
        "entry.ts",
        "if (sibling.isDelete || hasSameContent(sibling, winner)) return false;",
        "if (sibling.isDelete) return false;",
      ),
    ],
    hunt: byScenario("equal-values-are-no-conflict"),
  },
  {
    name: "conflicts-go-before-their-time",
    rule: "X1",
    effect: "a lost value cannot be restored the next day",
    patches: [
      inCore(
        "replica/forgetting.ts",
        "(s) => s.isDelete || s.timestamp > since || !this.#isForgettable(s)",
        "(s) => s.isDelete || !this.#isForgettable(s)",
      ),
    ],
    hunt: bySimulator("part-pair", "heal"),
  },
  {
    name: "old-losers-go-as-they-arise",
    rule: "X1",
    effect: "a write that lost after a long partition is listed for a moment, and gone",
    patches: [
      inCore(
        "replica/forgetting.ts",
        "if (!siblings.includes(record)) this.#replica.group.settled.push({ record, settledAtMs: nowMs });",
        "",
      ),
    ],
    hunt: byScenario("a-conflict-that-is-older-than-its-retention-when-it-arises-can-be-restored"),
  },
  {
    name: "settled-losers-are-not-kept",
    rule: "X2",
    effect: "a conflict that was settled by mistake cannot be restored",
    patches: [
      inCore("replica/replica.ts", "this.#group.settled.push({ record: loser, settledAtMs: nowMs });", ""),
    ],
    hunt: byScenario("a-settled-loser-can-be-restored"),
  },
  {
    name: "settled-losers-go-at-once",
    rule: "X2",
    effect: "a conflict that was settled by mistake cannot be restored",
    patches: [
      inCore(
        "replica/forgetting.ts",
        "if (settledAtMs < nowMs - this.#retention.conflictMs)",
        "if (settledAtMs <= nowMs)",
      ),
    ],
    hunt: byScenario("a-settled-loser-can-be-restored"),
  },
];
