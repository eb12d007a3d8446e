/** What clients are promised: sessions, watches, and writes that several replicas hold. */
import { byClients, bySimulator, inCore, type PlantedBug } from "./planted-bug.ts";

export const CLIENT_BUGS: readonly PlantedBug[] = [
  {
    name: "session-asks-for-nothing",
    rule: "session",
    effect: "a client that goes to another server reads what it had overwritten",
    patches: [
      inCore(
        "session-token.ts",
        "if (!isHeld(origin, seen, replica)) return { origin, timestamp: seen.timestamp };",
        "",
      ),
    ],
    hunt: bySimulator("part-pair", "heal"),
  },
  {
    name: "session-forgets-what-it-saw",
    rule: "session",
    effect: "a client that goes to another server reads older values than before",
    patches: [inCore("session-token.ts", "this.saw(version, startOf(version, replica));", "")],
    hunt: bySimulator("part-pair", "heal"),
  },
  {
    name: "watch-goes-on-where-less-is-known",
    rule: "watch",
    effect: "a watcher that goes to another server is told older values after newer ones",
    patches: [
      inCore("watch/watch-cursor.ts", "if (missing !== undefined) {", "if (missing?.timestamp === 0) {"),
    ],
    hunt: byClients("cut", "part-pair", "heal"),
  },
  {
    name: "watch-gap-is-silent",
    rule: "watch",
    effect: "a watcher that was away for too long misses changes and is not told so",
    patches: [
      inCore(
        "watch/watch-cursor.ts",
        "isReachable(this.#at, replica, this.#hub.head.markMs) && !isOnOtherBranch(this.#at.vector, replica)",
        "!isOnOtherBranch(this.#at.vector, replica)",
      ),
    ],
    hunt: byClients("cut", "part-pair", "heal"),
  },
  {
    name: "watch-goes-on-from-the-present",
    rule: "watch",
    effect: "what happened between two streams is never told",
    patches: [inCore("watch/watch-cursor.ts", "this.#at = resume?.at ?? hub.head;", "this.#at = hub.head;")],
    hunt: byClients("cut", "part-pair", "heal"),
  },
  {
    name: "concern-counts-one-for-many",
    rule: "concern",
    effect: "a write that was acknowledged as held by two servers is lost with the disk of one",
    patches: [inCore("replica/held-level.ts", "return held[count - 1] ?? 0;", "return held[0] ?? 0;")],
    hunt: byClients("part-pair", "heal"),
  },
];
