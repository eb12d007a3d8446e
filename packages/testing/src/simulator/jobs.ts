/** One campaign on several processes: each runs every Nth seed, and what they counted is put together. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import type { Summary, Tally } from "./tally.ts";

/** The part of a campaign that one process runs: seeds that leave the rest `index` when divided by `of`. */
export interface Part {
  readonly index: number;
  readonly of: number;
}

/** Reads `I/N`; without it everything is one's own. */
export function partOf(text: string | undefined): Part {
  const [index = 0, of = 1] = (text ?? "0/1").split("/").map(Number);
  return { index, of };
}

/**
 * Runs the same command on some processes, and adds what they find to the tally.
 * @param words the command's own words
 * @param file where the processes leave their summaries, each under a name of its own
 */
export async function runJobs(
  jobs: number,
  words: readonly string[],
  file: string,
  tally: Tally,
): Promise<void> {
  const children = Array.from({ length: jobs }, (_, index) => startPart(words, `${index}/${jobs}`, file));
  await Promise.all(children.map(({ exited }) => exited));
  for (const { own } of children) {
    tally.merge(JSON.parse(readFileSync(own, "utf8")) as Summary);
    rmSync(own);
  }
}

function startPart(
  words: readonly string[],
  part: string,
  file: string,
): { readonly own: string; readonly exited: Promise<unknown> } {
  const own = `${file}.${part.replace("/", "-of-")}`;
  // Of words that are said twice the last ones count.
  const all = [
    ...process.execArgv,
    process.argv[1] ?? "",
    ...words,
    "--jobs",
    "1",
    "--part",
    part,
    "--out",
    own,
  ];
  const child: ChildProcess = spawn(process.execPath, all, { stdio: "inherit" });
  return { own, exited: once(child, "exit") };
}
