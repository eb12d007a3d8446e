/** Explores all small worlds, of the true sources or of sources with a planted bug. */
import { type Patch, SourceGraph } from "../planted/source-graph.ts";
import type { Exploration } from "./explore.ts";
import type { SmallWorld } from "./small-world.ts";

interface OpenGraph {
  readonly explore: (world: SmallWorld, statesMax: number) => Exploration;
  readonly worlds: readonly SmallWorld[];
}

/** The explorer sees private state, so it lives in a graph in which nothing is private. */
function openGraph(patches: readonly Patch[]): OpenGraph {
  const graph = new SourceGraph(patches, true);
  const { explore } = graph.load("testing/src/explorer/explore.ts") as Pick<OpenGraph, "explore">;
  const { SMALL_WORLDS: worlds } = graph.load("testing/src/explorer/small-world.ts") as {
    SMALL_WORLDS: readonly SmallWorld[];
  };
  return { explore, worlds };
}

/**
 * Explores world after world; what one leaves of its share the next ones get.
 * @param statesMax distinct states in all
 */
export function* exploreAll(statesMax: number, patches: readonly Patch[] = []): Generator<Exploration> {
  const { explore, worlds } = openGraph(patches);
  let left = statesMax;
  for (const [index, world] of worlds.entries()) {
    const found = explore(world, Math.ceil(left / (worlds.length - index)));
    left -= found.states;
    yield found;
  }
}
