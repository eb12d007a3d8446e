/** Meshes that lived apart, forgot, and became one: rules M2 and X1. */
import { byScenario, inCore, type PlantedBug } from "./planted-bug.ts";

export const MEETING_BUGS: readonly PlantedBug[] = [
  {
    name: "offers-do-not-tell-what-is-settled",
    rule: "M2, X1",
    effect: "a write that somebody had seen and written over is listed as a conflict after two meshes met",
    patches: [
      inCore(
        "session/settled.ts",
        "if (entry === undefined || seen === undefined) return [];",
        "if (entry === undefined || seen === undefined || offered.length > 0) return [];",
      ),
    ],
    hunt: byScenario("what-a-mesh-has-forgotten-is-settled-in-the-next"),
  },
  {
    name: "what-arrives-late-is-not-settled",
    rule: "M2, X1",
    effect: "the same, where another member had adopted the write",
    patches: [
      inCore("replica/settling.ts", "isCovered(adopted, vector, members, meant)", "members === undefined"),
    ],
    hunt: byScenario("what-was-settled-before-it-arrived-is-no-conflict"),
  },
  {
    name: "what-was-deleted-and-forgotten-is-not-told",
    rule: "M2",
    effect: "a deleted key is back, since another mesh had got it by a rejoin that was broken off",
    patches: [
      inCore(
        "host/handover.ts",
        "const seen = this.#hasLeftovers ? this.#seen() : undefined;",
        "const seen = this.#hasLeftovers && this.#frozen ? this.#seen() : undefined;",
      ),
    ],
    hunt: byScenario("what-was-deleted-and-forgotten-is-deleted-in-the-next-mesh"),
  },
  {
    name: "leftovers-of-another-branch-are-taken-for-deleted",
    rule: "M2, M5",
    effect: "an acknowledged write of a copied directory vanishes as the other copy moves",
    patches: [
      inCore(
        "host/leftovers.ts",
        "if (timestamp > commonTimestamp(held, branchMeant(origin, vector, members))) return false;",
        "if (timestamp > commonTimestamp(held, held) || branchMeant === undefined) return false;",
      ),
    ],
    hunt: byScenario(
      "what-a-copy-offered-before-its-rejoin-was-broken-off-is-not-taken-for-deleted-by-the-original",
    ),
  },
  {
    name: "adopted-writes-are-known-by-their-adopters-alone",
    rule: "M2",
    effect: "a deleted write comes back with a mesh that had adopted it from its author before",
    patches: [
      inCore(
        "session/source.ts",
        "if (!record.isDelete && isKnown(originOf(named[index] ?? record))) continue;",
        "",
      ),
    ],
    hunt: byScenario("what-came-with-its-author-and-was-deleted-does-not-come-back-with-an-adopter"),
  },
];
