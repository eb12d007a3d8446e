/** Coming and going: rules M1 to M5. */
import { bySimulator, byScenario, inCore, type PlantedBug } from "./planted-bug.ts";

export const MEMBERSHIP_BUGS: readonly PlantedBug[] = [
  {
    name: "joiner-is-admitted-in-memory",
    rule: "M1",
    effect: "the replica that let a member in restarts and does not know it",
    patches: [
      inCore(
        "session/source.ts",
        'this.#outbox.afterDurable(replica.groupNumber, () => { if (session.mode !== "source") return; this.#outbox.send(session.link, { kind: "granted"',
        'Promise.resolve; ((run: () => void) => run())(() => { if (session.mode !== "source") return; this.#outbox.send(session.link, { kind: "granted"',
      ),
    ],
    hunt: byScenario("an-admission-is-durable-before-it-is-told"),
  },
  {
    name: "joiner-does-not-observe-its-admission",
    rule: "M1",
    effect: "a joiner with a slow clock writes below everybody's horizon",
    patches: [
      inCore("session/joiner.ts", "replica.clock.observe(granted.observe);", ""),
      inCore("session/joiner.ts", "this.#replica.clock.observe(winner.timestamp);", ""),
    ],
    hunt: byScenario("a-joiner-observes-its-admission"),
  },
  {
    name: "copied-state-claims-too-early",
    rule: "M1",
    effect: "a replica that has half of a copy is counted on by the mesh",
    maskedBy: "the wait for what the source had, before the last word",
    patches: [
      inCore("session/joiner.ts", "if (!durableVector.includes(this.#needed)) return;", ""),
      inCore(
        "session/joiner.ts",
        'this.#target = copied.vector; this.phase = "catching-up";',
        'this.#target = copied.vector; this.phase = "offering";',
      ),
    ],
    hunt: bySimulator("join", "kill", "cut"),
  },
  {
    name: "copy-skips-the-logs",
    rule: "M1",
    effect: "what was written during a copy never reaches the new replica",
    patches: [
      inCore(
        "replica/replica.ts",
        "this.#vector.advance(origin, positionWithin(copied.position(origin), floor));",
        "this.#vector.advance(origin, copied.position(origin));",
      ),
    ],
    hunt: bySimulator("join", "remove"),
  },
  {
    name: "silent-joiner-stays",
    rule: "M1",
    effect: "a joiner that never finishes stops all forgetting",
    patches: [
      inCore(
        "session/source.ts",
        "else if (nowMs - heardMs > leaseMs)",
        "else if (nowMs - heardMs > leaseMs * 1000)",
      ),
    ],
    hunt: bySimulator("join", "kill", "remove"),
  },
  {
    name: "offered-write-gets-a-new-rank",
    rule: "M2",
    effect: "a returning old value beats a newer acknowledged one",
    patches: [
      inCore(
        "replica/adoption.ts",
        "const ownRank = isOffered ? Math.min(rankOf(record), originalTimestamp(record)) : rankOf(record);",
        "const ownRank = Number.MAX_SAFE_INTEGER;",
      ),
    ],
    hunt: bySimulator("remove", "part-pair", "heal"),
  },
  {
    name: "returning-put-is-not-raised",
    rule: "M2",
    effect: "a returning put lives here and is dead where a tombstone was kept longer",
    patches: [
      inCore(
        "replica/adoption.ts",
        "if (mustRaise(entry, record, horizon) && horizon > ownRank)",
        "if (horizon < 0)",
      ),
    ],
    hunt: byScenario("a-raise-holds-in-its-own-mesh"),
  },
  {
    name: "raised-over-newer-writes",
    rule: "M2",
    effect: "a returning put beats a newer write that is at or below the horizon",
    patches: [
      inCore(
        "replica/adoption.ts",
        "return winner.isDelete || winner.adopted?.raised === true || hasForgettableDeadline(winner, horizon);",
        "return true;",
      ),
      inCore(
        "replica/adoption.ts",
        "if (originalTimestamp(winner) > originalTimestamp(record) || rankOf(winner) > horizon) return false;",
        "",
      ),
    ],
    hunt: bySimulator("remove", "part-pair", "heal", "kill"),
  },
  {
    name: "raise-is-carried-over",
    rule: "M2",
    effect: "an old write beats a newer acknowledged one after two meshes met",
    patches: [
      inCore(
        "replica/adoption.ts",
        "const ownRank = isOffered ? Math.min(rankOf(record), originalTimestamp(record)) : rankOf(record);",
        "const ownRank = rankOf(record);",
      ),
      inCore(
        "replica/adoption.ts",
        "const isRaised = !isOffered && record.adopted?.raised === true;",
        "const isRaised = record.adopted?.raised === true;",
      ),
    ],
    hunt: byScenario("a-raise-holds-in-its-own-mesh"),
  },
  {
    name: "winning-delete-is-not-restated",
    rule: "M2",
    effect: "a put that lost to a delete at its adopter lives where the delete was forgotten",
    patches: [
      inCore(
        "replica/adoption.ts",
        "return entry.winner.isDelete || entry.winner.expiresAtMs > 0 ? entry.winner : undefined;",
        "return undefined;",
      ),
    ],
    hunt: byScenario("a-winning-delete-travels-before-the-put-that-it-beats"),
  },
  {
    name: "deletes-are-not-offered",
    rule: "M2",
    effect: "a key that a returning replica had deleted lives on",
    patches: [
      inCore(
        "session/source.ts",
        "if (isCovered(record, replica.vector, replica.members, message.branches)) continue;",
        "if (record.isDelete || isCovered(record, replica.vector, replica.members, message.branches)) continue;",
      ),
    ],
    hunt: bySimulator("remove", "part-pair", "heal"),
  },
  {
    name: "losers-are-not-offered",
    rule: "M2, X1",
    effect: "a rejoin loses the values of conflicts",
    patches: [
      inCore(
        "host/handover.ts",
        "const all = [winner, ...siblings];",
        "const all = [winner, ...siblings].slice(0, 1);",
      ),
    ],
    hunt: bySimulator("remove", "part-pair", "heal"),
  },
  {
    name: "writes-during-the-offer-are-lost",
    rule: "M2",
    effect: "a rejoin loses acknowledged writes",
    patches: [
      inCore(
        "host/handover.ts",
        "(o) => old.vector.get(o) > this.#startVector.get(o)",
        "(o) => old.vector.get(o) < this.#startVector.get(o)",
      ),
    ],
    hunt: bySimulator("remove", "part-pair", "heal"),
  },
  {
    name: "note-counts-where-it-is-not-true",
    rule: "M2",
    effect: "an acknowledged write vanishes with its last holders",
    patches: [
      inCore(
        "session/coverage.ts",
        "if (!vector.covers(adopter, adoptedAt) || !vector.includes(held)) return false;",
        "return adopter !== undefined && adoptedAt >= 0 && held.size >= 0 && vector.size > 0;",
      ),
    ],
    hunt: byScenario("a-note-counts-only-where-it-is-true"),
  },
  {
    name: "old-id-stays",
    rule: "M2",
    effect: "the horizon waits for ever for a replica that has been replaced",
    patches: [
      inCore(
        "session/source.ts",
        "if (message.end !== undefined) {",
        "if (message.end !== undefined && message.records.length > 0) {",
      ),
    ],
    hunt: bySimulator("remove", "join"),
  },
  {
    name: "meshes-never-merge",
    rule: "M3",
    effect: "two halves that were founded apart stay apart, though they were brought together",
    patches: [
      inCore(
        "session/handshake.ts",
        'return compareMeshes(mine.mesh, theirs.mesh) > 0 ? rejoin(theirs, "WRONG_MESH", message)',
        'return compareMeshes(mine.mesh, theirs.mesh) > 1e300 ? rejoin(theirs, "WRONG_MESH", message)',
      ),
    ],
    hunt: bySimulator(),
  },
  {
    name: "both-meshes-move",
    rule: "M3",
    effect: "two meshes that meet change places and never become one",
    patches: [
      inCore(
        "session/handshake.ts",
        'return compareMeshes(mine.mesh, theirs.mesh) > 0 ? rejoin(theirs, "WRONG_MESH", message)',
        'return compareMeshes(mine.mesh, theirs.mesh) !== 0 ? rejoin(theirs, "WRONG_MESH", message)',
      ),
    ],
    hunt: bySimulator("kill"),
  },
  {
    name: "strangers-merge",
    rule: "M3",
    effect: "two meshes that nobody brought together become one",
    patches: [
      inCore(
        "session/handshake.ts",
        "if (!mine.invited && !theirs.invited) {",
        'if (mine.mesh.name === "") {',
      ),
    ],
    hunt: byScenario("strangers-stay-apart"),
  },
  {
    name: "names-do-not-matter",
    rule: "M3, M5",
    effect: "a server that was given a wrong address empties itself into another mesh",
    patches: [
      inCore(
        "session/handshake.ts",
        'if (mine.mesh.name !== theirs.mesh.name && mine.state !== "joining" && theirs.state !== "joining")',
        'if (mine.mesh.name === "")',
      ),
    ],
    hunt: byScenario("meshes-of-two-names-stay-apart"),
  },
  {
    name: "removal-does-not-last",
    rule: "M4",
    effect: "a removed member is back when an old member set arrives",
    patches: [
      inCore("member-set.ts", "removed: a.removed || b.removed,", "removed: a.removed && b.removed,"),
    ],
    hunt: byScenario("a-removal-is-final"),
  },
  {
    name: "silence-is-for-ever",
    rule: "M4",
    effect: "a member that is gone for ever fills every disk",
    patches: [
      inCore(
        "session/peering.ts",
        "if ((this.#silence.get(member) ?? 0) > this.#config.memberTimeoutMs)",
        "if ((this.#silence.get(member) ?? 0) < 0)",
      ),
    ],
    hunt: byScenario("a-silent-member-is-removed"),
  },
  {
    name: "alone-removes-all",
    rule: "M4",
    effect: "a replica whose own network is down removes everybody else",
    patches: [
      inCore(
        "session/peering.ts",
        "else if (reached.size > 0) this.#silence.set(",
        "else this.#silence.set(",
      ),
    ],
    hunt: byScenario("who-is-alone-removes-nobody"),
  },
  {
    name: "log-budget-is-not-kept",
    rule: "M4",
    effect: "one dead peer fills the disk within the member timeout",
    patches: [
      inCore(
        "session/peering.ts",
        "if (replica.logBytes <= this.#config.logBudgetBytes ||",
        "if (replica.logBytes >= 0 ||",
      ),
    ],
    hunt: byScenario("a-member-beyond-the-log-budget-is-removed"),
  },
  {
    name: "leaver-is-not-asked",
    rule: "M4",
    effect: "a removal leaves acknowledged writes behind on the member that is switched off next",
    patches: [
      inCore("session/peering.ts", 'if (replica.durableVector.get(member) < most) return "pull";', ""),
    ],
    hunt: byScenario("a-removal-pulls-first"),
  },
  {
    name: "last-word-over-another-link",
    rule: "M2",
    effect: "a server that rejoins over a link that breaks serves without its own writes for a while",
    patches: [
      inCore(
        "session/joiner.ts",
        'session.mode = "streaming"; this.durable();',
        'session.mode = "streaming"; if (this.phase === "confirming") this.#outbox.send(session.link, { kind: "confirm" });',
      ),
    ],
    hunt: byScenario("a-successor-serves-only-what-its-predecessor-had-too"),
  },
  {
    name: "a-refusing-source-counts-as-heard",
    rule: "M2",
    effect: "two servers that rejoin through each other do so for ever",
    patches: [inCore("host/host.ts", 'message.kind !== "hello" && message.kind !== "refuse"', "true")],
    hunt: byScenario("two-that-rejoin-through-each-other-come-to-an-end"),
  },
  {
    name: "last-word-before-what-the-source-had",
    rule: "M2",
    effect: "a server that rejoins takes back what it has shown",
    patches: [inCore("session/joiner.ts", "if (!durableVector.includes(this.#needed)) return;", "")],
    hunt: bySimulator(
      "clone",
      "image",
      "restore",
      "kill",
      "isolate",
      "part-pair",
      "part-one-way",
      "heal",
      "bridge",
      "power",
    ),
  },
  {
    name: "nobody-founds-a-mesh-anew",
    rule: "M3",
    effect: "servers that were removed one after the other stay apart once all others are gone",
    patches: [
      inCore(
        "host/founding.ts",
        "return members.isRemoved(id) && members.current().length === 0;",
        "return false;",
      ),
    ],
    hunt: byScenario("who-were-removed-by-one-that-is-gone-are-a-mesh-again"),
  },
  {
    name: "who-was-removed-does-not-tell-another",
    rule: "M3",
    effect: "two servers that were removed wait for each other, each taking the other for a member",
    patches: [
      inCore(
        "session/handshake.ts",
        "return compareMeshes(mine.mesh, theirs.mesh) === 0 && isOut(mine)",
        "return false && isOut(mine)",
      ),
    ],
    hunt: byScenario("who-were-removed-and-wait-for-each-other-are-a-mesh-again"),
  },
  {
    name: "who-lets-a-copy-in-is-taken-for-a-ghost",
    rule: "M2",
    effect: "of two copies of a removed directory the one that stays is dropped, and the two go on rejoining",
    patches: [inCore("member-set.ts", "|| this.get(next[0])?.succession?.successor === source", "")],
    hunt: byScenario("two-copies-of-a-removed-directory-are-a-mesh-again"),
  },
];
