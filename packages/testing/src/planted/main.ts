/**
 * `npm run planted [-- --seeds N] [--only NAME] [--record]`: breaks every rule, one after the other, and shows by what it
 * is noticed. The last line is `N passed, M failed`. With `--record` the catching seeds are kept for the tests.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ALL_BUGS } from "./all-bugs.ts";
import { type Catch, hunt } from "./hunt.ts";
import type { PlantedBug } from "./planted-bug.ts";

const RECORDED = fileURLToPath(new URL("../../src/planted/catching-seeds.json", import.meta.url));

function seedsFrom(first: number, count: number): number[] {
  return [first, ...Array.from({ length: count }, (_, index) => index + 1).filter((seed) => seed !== first)];
}

function describe({ bug, complaint, tried }: Catch): string {
  const means = bug.hunt.by === "scenario" ? `scenario ${bug.hunt.scenario}` : `simulator, ${tried} seeds`;
  const verdict = complaint === undefined ? "MISSED" : "caught";
  return `${verdict}  ${bug.rule.padEnd(10)} ${bug.name.padEnd(46)} ${means}`;
}

async function tryHunt(bug: PlantedBug, seeds: readonly number[]): Promise<Catch> {
  try {
    return await hunt(bug, seeds);
  } catch (error) {
    process.stdout.write(`  ${bug.name}: ${error instanceof Error ? error.message : String(error)}\n`);
    return { bug, complaint: undefined, seed: 0, tried: 0 };
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "60" },
      only: { type: "string", default: "" },
      record: { type: "boolean", default: false },
    },
  });
  const recorded = JSON.parse(readFileSync(RECORDED, "utf8")) as Record<string, number>;
  const caught: Record<string, number> = {};
  let [passed, failed] = [0, 0];
  for (const bug of ALL_BUGS) {
    if (!bug.name.includes(values.only)) continue;
    const result = await tryHunt(bug, seedsFrom(recorded[bug.name] ?? 1, Number(values.seeds)));
    process.stdout.write(`${describe(result)}\n`);
    if (result.complaint === undefined) failed += 1;
    else passed += 1;
    if (result.seed === 0) continue;
    caught[bug.name] = result.seed;
    if (values.record)
      writeFileSync(RECORDED, `${JSON.stringify({ ...recorded, ...caught }, undefined, 2)}\n`);
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  if (failed > 0) process.exitCode = 1;
}

await main();
