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
];
