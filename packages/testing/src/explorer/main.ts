/** `npm run explore -- [--states N]`: one line per small world, one JSON line at the end. */
import { parseArgs } from "node:util";
import { exploreAll } from "./explore-all.ts";

function main(): void {
  const { values } = parseArgs({ options: { states: { type: "string", default: "2000000" } } });
  const startMs = Date.now();
  let [states, steps, depth, violations] = [0, 0, 0, 0];
  for (const found of exploreAll(Number(values.states))) {
    states += found.states;
    steps += found.steps;
    depth = Math.max(depth, found.depth);
    const end = found.isWhole ? "all of it" : "as far as asked";
    process.stdout.write(
      `${found.world}: ${found.states} states, depth ${found.depth}, ${found.machines} states of machines, ${end}\n`,
    );
    if (found.violation === undefined) continue;
    violations += 1;
    process.stdout.write(
      `  VIOLATION ${found.violation}\n${found.path.map((event) => `    ${event}\n`).join("")}`,
    );
  }
  const seconds = Math.round((Date.now() - startMs) / 1000);
  process.stdout.write(`${JSON.stringify({ states, steps, depth, seconds, violations })}\n`);
  if (violations > 0) process.exitCode = 1;
}

main();
