/** Looks for a planted bug by the means that its rule is guarded with. */
import type { WorldOptions } from "../simulator/parameters.ts";
import type { Hunt, PlantedBug } from "./planted-bug.ts";
import { SourceGraph } from "./source-graph.ts";

/** How a hunt ended. */
export interface Catch {
  readonly bug: PlantedBug;
  /** What was broken, in words; undefined when nothing noticed the bug. */
  readonly complaint: string | undefined;
  /** The seed that noticed it; 0 for a scenario. */
  readonly seed: number;
  /** Seeds that were run, the catching one included. */
  readonly tried: number;
}

type RunSeed = (seed: number, options: WorldOptions) => { readonly violation: string | undefined };
/** Worlds that a bug keeps from coming to rest are not run to their bitter end. */
const EVENTS_MAX = 20_000;

type RunScenario = (name: string) => Promise<string | undefined>;

/** @param seeds the seeds to try, in this order; scenarios need none */
export async function hunt(bug: PlantedBug, seeds: Iterable<number>): Promise<Catch> {
  const graph = new SourceGraph(bug.patches);
  if (bug.hunt.by === "scenario") {
    const { failureOf } = graph.load("testing/src/scenarios/all-scenarios.ts") as { failureOf: RunScenario };
    return { bug, complaint: await failureOf(bug.hunt.scenario), seed: 0, tried: 0 };
  }
  const options = optionsFor(bug.hunt);
  const { runSeed } = graph.load("testing/src/simulator/world.ts") as { runSeed: RunSeed };
  let tried = 0;
  for (const seed of seeds) {
    tried += 1;
    const { violation } = runSeed(seed, options);
    // A world that complains without the bug proves nothing about it.
    if (violation !== undefined && isClean(seed, options)) return { bug, complaint: violation, seed, tried };
  }
  return { bug, complaint: undefined, seed: 0, tried };
}

let sound: RunSeed | undefined;

function isClean(seed: number, options: WorldOptions): boolean {
  sound ??= (new SourceGraph().load("testing/src/simulator/world.ts") as { runSeed: RunSeed }).runSeed;
  return sound(seed, options).violation === undefined;
}

function optionsFor({ faults, isPeopled = false }: Extract<Hunt, { by: "simulator" }>): WorldOptions {
  return { isQuick: true, isPeopled, faultKinds: faults, eventsMax: EVENTS_MAX };
}
