/** Writing: rules W1 to W6. */
import { bySimulator, byScenario, inCore, type PlantedBug } from "./planted-bug.ts";

export const WRITING_BUGS: readonly PlantedBug[] = [
  {
    name: "clock-does-not-observe",
    rule: "W1",
    effect: "a new write is older than the one that it replaces, and is lost",
    patches: [inCore("hybrid-clock.ts", "if (timestamp > this.#last) this.#last = timestamp;", "")],
    hunt: bySimulator("clock-step"),
  },
  {
    name: "clock-counts-nothing",
    rule: "W1",
    effect: "two writes of one millisecond get one version",
    patches: [inCore("hybrid-clock.ts", "Math.max(this.#last + 1,", "Math.max(this.#last,")],
    hunt: bySimulator("kill"),
  },
  {
    name: "claims-before-durable",
    rule: "W2",
    effect: "a crash takes back what peers count on",
    patches: [
      inCore(
        "replica/replica.ts",
        "this.#durableVector = done.vector;",
        "this.#durableVector = this.#vector.clone();",
      ),
    ],
    hunt: bySimulator("power"),
  },
  {
    name: "sends-before-durable",
    rule: "W2",
    effect: "peers hold a write that its writer loses with the page cache, and its version is used again",
    patches: [
      inCore(
        "session/sender.ts",
        "const claim = replica.durableVector.position(origin);",
        "const claim = replica.vector.position(origin);",
      ),
    ],
    hunt: bySimulator("power"),
  },
  {
    name: "delete-of-unknown-key-makes-no-record",
    rule: "W3",
    effect: "a delete that overtakes the put is forgotten, and the put lives",
    patches: [
      inCore(
        "replica/replica.ts",
        "const last = writes.length - 1; return writes.map(",
        "const known = writes.filter(({ key, value }) => value !== undefined || this.entry(key) !== undefined);" +
          "const last = known.length - 1; return known.map(",
      ),
    ],
    hunt: bySimulator("kill"),
  },
  {
    name: "delete-of-unknown-key-leaves-no-tombstone",
    rule: "W3",
    effect: "a put that arrives after its delete lives on some replicas",
    patches: [
      inCore(
        "replica/replica.ts",
        "if (after === before) return after;",
        "if (after === before || (before === undefined && record.isDelete)) return after;",
      ),
    ],
    hunt: bySimulator("cut"),
  },
  {
    name: "clock-mark-lags",
    rule: "W4",
    effect: "after a crash a version that a client was told names another write",
    patches: [
      inCore(
        "replica/replica.ts",
        "this.clock = new HybridClock(progress.clockMark);",
        "this.clock = new HybridClock(progress.vector.get(state.identity.replicaId));",
      ),
    ],
    hunt: byScenario("a-version-that-was-told-is-not-used-again"),
  },
  {
    name: "record-checksum-is-not-checked",
    rule: "W5",
    effect: "a flipped bit is served as a value",
    patches: [inCore("record.ts", "if (crc32c(bytes, 4) !== checksum)", "if (checksum < 0)")],
    hunt: byScenario("damaged-bytes-are-refused"),
  },
  {
    name: "damaged-replica-does-not-rejoin",
    rule: "W5",
    effect: "a replica that lost acknowledged writes goes on as if it had them",
    patches: [
      inCore(
        "session/peering.ts",
        'if (this.#joining === undefined && replica.identity.damaged && theirs.state === "ready")',
        'if (replica.identity.damaged && theirs.state === "joining")',
      ),
    ],
    hunt: byScenario("a-damaged-replica-rejoins"),
  },
  {
    name: "batch-is-not-marked",
    rule: "W6",
    effect: "a reader of a peer sees half of a batch",
    patches: [inCore("replica/replica.ts", "moreFollows: index < last,", "moreFollows: false,")],
    hunt: bySimulator("cut"),
  },
];
