/** Worlds that differ in more than sizes and rates: which machines have a way to each other, and what their clocks are like. */
import type { Machine } from "./machine.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";

/** Ten years, in milliseconds. */
const FAR_MS = 3653 * 86_400_000;
/** How much faster or slower than time a clock runs, at most. */
const DRIFT_MAX = 0.001;

/** Draws which ways there are between the first machines, and clocks that drift or are years ahead. */
export function drawShape(random: Random, network: Network, machines: readonly Machine[]): void {
  const shape = random.pick(["mesh", "line", "star", "ring"] as const);
  const last = machines.length - 1;
  for (const a of machines) {
    for (const b of machines) {
      if (a.index >= b.index) continue;
      const isNext = b.index - a.index === 1;
      const isWay =
        shape === "mesh" ||
        (shape === "star"
          ? a.index === 0
          : isNext || (shape === "ring" && a.index === 0 && b.index === last));
      if (!isWay) network.omit(a.address, b.address);
    }
  }
  for (const machine of machines) machine.drift = (random.float() * 2 - 1) * DRIFT_MAX;
  if (random.chance(0.02)) random.pick(machines).offsetMs = FAR_MS;
}
