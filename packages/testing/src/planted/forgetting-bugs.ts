/** Forgetting and equality: rules F1 to F4 and E1. */
import { bySimulator, byScenario, inCore, type PlantedBug } from "./planted-bug.ts";

export const FORGETTING_BUGS: readonly PlantedBug[] = [
  {
    name: "unheard-member-does-not-hold-the-horizon",
    rule: "F1",
    effect: "what a silent member lacks is forgotten",
    patches: [
      inCore(
        "replica/horizon.ts",
        "if (known === undefined) return { timestamp: 0, heldBy: member };",
        "if (known === undefined) continue;",
      ),
    ],
    hunt: byScenario("a-member-that-was-never-heard-holds-the-horizon"),
  },
  {
    name: "horizon-waits-for-nobody-else",
    rule: "F1",
    effect: "logs are cut that members still need",
    patches: [
      inCore(
        "replica/horizon.ts",
        "const current = members.current(); const removed = members.removed(); let bound",
        "const current = members.current().slice(0, 1); const removed = members.removed(); let bound",
      ),
    ],
    hunt: bySimulator("cut", "part-pair", "isolate", "heal"),
  },
  {
    name: "removed-origins-do-not-count",
    rule: "F1",
    effect: "a removed replica's last writes reach some members only",
    patches: [
      inCore(
        "replica/horizon.ts",
        "for (const origin of removed) {",
        "for (const origin of removed.slice(0, 0)) {",
      ),
    ],
    hunt: byScenario("a-removed-origin-holds-the-horizon"),
  },
  {
    name: "removal-is-not-waited-for",
    rule: "F1",
    effect: "a member that has not heard of a removal still takes the leaver's writes below the horizon",
    patches: [
      inCore(
        "replica/horizon.ts",
        "if (known === undefined || !known.removed.has(origin))",
        "if (known === undefined)",
      ),
    ],
    hunt: byScenario("a-removal-is-known-before-it-is-forgotten"),
  },
  {
    name: "expired-put-goes-before-the-horizon",
    rule: "F2",
    effect: "an older put without a deadline, still under way, comes to life",
    patches: [
      inCore(
        "replica/forgetting.ts",
        "row.expiresAtMs > Math.min(nowMs, this.#forgettableMs())",
        "row.expiresAtMs > nowMs",
      ),
      inCore(
        "replica/forgetting.ts",
        "upToMs: this.#forgettableMs()",
        "upToMs: timestampToMs(this.#replica.clock.last)",
      ),
      inCore(
        "replica/forgetting.ts",
        "if (timestampFromMs(row.expiresAtMs) > this.#replica.horizon || !this.#isForgettable(entry.winner)) return;",
        "",
      ),
    ],
    hunt: bySimulator("cut", "part-pair", "heal"),
  },
  {
    name: "tombstone-goes-before-what-it-deleted",
    rule: "F2",
    effect: "a delete was seen, and the deleted put arrives after the tombstone was forgotten",
    patches: [
      inCore(
        "replica/forgetting.ts",
        "return record.context.every((seen) => isCovered(seen, replica.vector, replica.members, NO_FORKS));",
        "return true;",
      ),
    ],
    hunt: byScenario("a-tombstone-waits-for-what-it-deleted"),
  },
  {
    name: "tombstones-stay",
    rule: "F2",
    effect: "the disk fills with deletes",
    patches: [
      inCore(
        "replica/forgetting.ts",
        "if (record.isDelete && !this.#forgetDelete(record)) hasKept = true;",
        "if (record.isDelete) hasKept = true;",
      ),
    ],
    hunt: bySimulator(),
  },
  {
    name: "tombstone-goes-above-the-horizon",
    rule: "F2",
    effect: "a deleted key comes back from a member that had not heard",
    patches: [
      inCore(
        "replica/forgetting.ts",
        "if (record.timestamp > (replica.floors.get(record.origin) ?? 0) || rankOf(record) > replica.horizon) return false;",
        "",
      ),
      inCore("replica/forgetting.ts", "upTo = floor();", "upTo = this.#replica.vector.get(origin);"),
      inCore(
        "replica/forgetting.ts",
        "if (record.timestamp > floor()) break;",
        "if (record.timestamp > floor() && !record.isDelete) continue;",
      ),
    ],
    hunt: bySimulator("cut"),
  },
  {
    name: "log-is-cut-at-the-horizon",
    rule: "F3",
    effect: "a log loses records that a member of another mesh, or a late one, still lacks",
    patches: [
      inCore(
        "replica/horizon.ts",
        "floor = Math.min(floor, knowledgeOf(member)?.vector.get(origin) ?? 0);",
        "floor = Math.min(floor, Number.POSITIVE_INFINITY);",
      ),
    ],
    hunt: bySimulator("remove", "join", "cut", "kill"),
  },
  {
    name: "floors-are-not-minded",
    rule: "F3",
    effect: "a replica that was away too long goes on with a gap, and deleted keys live on in it",
    maskedBy: "the sender's own check of floors (BEHIND)",
    patches: [
      inCore(
        "session/handshake.ts",
        "if (origin !== replica.replicaId && replica.vector.get(origin) < floor) return true;",
        "",
      ),
      inCore("session/sender.ts", "if (after < (replica.floors.get(origin) ?? 0))", "if (after < 0)"),
      inCore("session/sender.ts", "if (fits && after >= (replica.floors.get(origin) ?? 0))", "if (fits)"),
    ],
    hunt: byScenario("who-lacks-what-was-cut-rejoins"),
  },
  {
    name: "late-record-is-not-adopted",
    rule: "F4",
    effect: "a put from below the horizon lives on some replicas and is dead on others",
    patches: [
      inCore(
        "replica/replica.ts",
        "if (!isSettled && rankOf(record) <= this.#horizon && mustRaise(entry, record, this.#horizon) && !knowsWrite(entry, record))",
        "if (rankOf(record) < 0)",
      ),
    ],
    hunt: byScenario("a-late-put-comes-after-what-was-forgotten"),
  },
  {
    name: "forgotten-put-stays-counted",
    rule: "E1",
    effect: "equal replicas show different digests: false alarms, and true ones are not believed",
    patches: [inCore("replica/replica.ts", 'countWinner(this.#digest, before, "remove");', "")],
    hunt: bySimulator("kill"),
  },
  {
    name: "digest-counts-deadlines",
    rule: "E1",
    effect: "replicas that forget an expired put at different times show different digests",
    patches: [
      inCore(
        "replica/count-winner.ts",
        "entry.winner.isDelete || entry.winner.expiresAtMs > 0",
        "entry.winner.isDelete",
      ),
    ],
    hunt: byScenario("deadlines-are-not-in-the-digest"),
  },
];
