/** Streaming: rules S1 to S7. */
import { bySimulator, byScenario, inCore, type PlantedBug } from "./planted-bug.ts";

export const STREAMING_BUGS: readonly PlantedBug[] = [
  {
    name: "losers-leave-the-log",
    rule: "S1, S4",
    effect: "a peer's vector passes a record that it never gets, and the winner's writer dies",
    patches: [
      inCore(
        "replica/replica.ts",
        "this.clock.observe(record.timestamp); this.#append(record);",
        "this.clock.observe(record.timestamp);" +
          "const standing = this.entry(record.key);" +
          "if (standing === undefined || compareRecords(record, standing.winner) > 0) this.#append(record);",
      ),
    ],
    hunt: bySimulator("cut", "kill"),
  },
  {
    name: "part-of-a-log-is-claimed-whole",
    rule: "S1",
    effect: "a frame that was full claims the rest of the log too",
    patches: [
      inCore(
        "session/sender.ts",
        "const reached = result.done ? claim : this.#positionOf(origin, result.records, claim);",
        "const reached = claim;",
      ),
    ],
    hunt: bySimulator("kill", "cut"),
  },
  {
    name: "relay-claims-what-it-heard-of",
    rule: "S1",
    effect: "a relay hands on a log of which it has only a part as if it were whole",
    patches: [
      inCore(
        "session/sender.ts",
        "const claim = replica.durableVector.position(origin);",
        "const told = this.#knowledge.get(origin)?.vector.position(origin);" +
          "const own = replica.durableVector.position(origin);" +
          "const claim = told !== undefined && told.timestamp > own.timestamp ? told : own;",
      ),
    ],
    hunt: bySimulator("cut", "part-pair", "heal"),
  },
  {
    name: "stream-goes-on-where-it-was-cut",
    rule: "S2",
    effect: "what was under way when a link broke is never sent again",
    maskedBy: "the receiver's check of where a frame continues from",
    patches: [
      inCore(
        "session/sender.ts",
        "else session.wanted.set(origin, after);",
        "else { const name = `${session.peer} ${origin}`; const sent = this.reached.get(name) ?? 0;" +
          "session.wanted.set(origin, Math.max(sent, after)); }",
      ),
      inCore(
        "session/sender.ts",
        "session.wanted.set(log.origin, log.claim.timestamp);",
        "session.wanted.set(log.origin, log.claim.timestamp);" +
          "this.reached.set(`${session.peer} ${log.origin}`, log.claim.timestamp);",
      ),
      inCore(
        "session/sender.ts",
        "readonly #knowledge: Knowledge;",
        "readonly #knowledge: Knowledge; readonly reached = new Map<string, number>();",
      ),
      inCore(
        "session/receiver.ts",
        "if (log !== undefined && this.#replica.vector.get(log.origin) < log.after)",
        "if (log !== undefined && log.after < 0)",
      ),
    ],
    hunt: bySimulator("cut"),
  },
  {
    name: "frame-is-applied-in-part",
    rule: "S2",
    effect: "a full frame loses its tail, and the vector passes it",
    patches: [
      inCore(
        "replica/replica.ts",
        "for (const record of records) { if (record.timestamp <= covered) continue;",
        "for (const record of records.slice(0, 2)) { if (record.timestamp <= covered) continue;",
      ),
    ],
    hunt: bySimulator("kill", "cut"),
  },
  {
    name: "covered-records-are-taken-again",
    rule: "S3",
    effect: "a stale buffer brings back what its forgotten tombstone had deleted",
    patches: [inCore("replica/replica.ts", "if (record.timestamp <= covered) continue;", "")],
    hunt: byScenario("a-stale-buffer-changes-nothing"),
  },
  {
    name: "last-arrival-wins",
    rule: "S4",
    effect: "replicas differ by the order of arrival",
    patches: [
      inCore("merge.ts", "if (compareRecords(known, winner) > 0) winner = known;", "winner = record;"),
    ],
    hunt: bySimulator("cut"),
  },
  {
    name: "asks-everybody",
    rule: "S5",
    effect: "each write crosses every link of the mesh",
    patches: [
      inCore(
        "session/receiver.ts",
        "if (session === chosen && !session.asked.has(origin))",
        "if (!session.asked.has(origin))",
      ),
      inCore(
        "session/receiver.ts",
        "else if (session !== chosen && session.asked.delete(origin))",
        "else if (chosen === undefined && session.asked.delete(origin))",
      ),
    ],
    hunt: byScenario("each-record-crosses-each-link-once"),
  },
  {
    name: "first-choice-sticks",
    rule: "S5",
    effect: "two replicas relay an origin to each other while a third has more",
    patches: [
      inCore(
        "session/receiver.ts",
        "const wins = has > bestHas || (has === bestHas && session.asked.has(origin));",
        "const wins = best === undefined || session.asked.has(origin);",
      ),
    ],
    hunt: byScenario("relays-do-not-starve"),
  },
  {
    name: "members-are-told-late",
    rule: "S6",
    effect: "a vector that is heard without the members that go with it moves the horizon past a new member",
    patches: [
      inCore(
        "session/sender.ts",
        "const members = session.toldMembers === replica.members ? undefined : replica.members;",
        "const members = log !== undefined || session.toldMembers === replica.members ? undefined : replica.members;",
      ),
      inCore(
        "session/sender.ts",
        "session.toldMembers = replica.members;",
        "if (members !== undefined) session.toldMembers = replica.members;",
      ),
    ],
    hunt: byScenario("members-travel-with-what-depends-on-them"),
  },
  {
    name: "acknowledges-what-is-not-durable",
    rule: "S7",
    effect: "the mesh forgets what a power failure takes from one member",
    patches: [
      inCore(
        "session/sender.ts",
        "for (const [origin, position] of replica.durableVector.entries())",
        "for (const [origin, position] of replica.vector.entries())",
      ),
    ],
    hunt: bySimulator("power"),
  },
  {
    name: "greets-with-what-is-not-durable",
    rule: "S7",
    effect: "the mesh forgets what a power failure takes from one member",
    patches: [
      inCore(
        "session/peering.ts",
        "vector: copying ? EMPTY_VECTOR : replica.durableVector,",
        "vector: copying ? EMPTY_VECTOR : replica.vector,",
      ),
    ],
    hunt: bySimulator("power", "cut"),
  },
  {
    name: "back-pressure-is-ignored",
    rule: "S1, memory",
    effect: "a slow peer makes memory grow",
    patches: [
      inCore(
        "session/sender.ts",
        'while (session.mode === "streaming" && !session.blocked && !session.scanning && !session.handing)',
        'while (session.mode === "streaming" && !session.scanning && !session.handing)',
      ),
      inCore(
        "session/sender.ts",
        'if (session.mode !== "streaming" || session.blocked || session.handing) return;',
        'if (session.mode !== "streaming" || session.handing) return;',
      ),
    ],
    hunt: bySimulator("stall"),
  },
];
