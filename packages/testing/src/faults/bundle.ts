/** Keeps everything that belongs to a violation, so that it can be understood after the processes are gone. */
import { cp, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { History } from "../checkers/history.ts";
import type { Cluster } from "./cluster.ts";
import type { PlannedRound } from "./plan.ts";

/** What goes into a bundle besides logs and data directories. */
export interface BundleContent {
  readonly options: object;
  readonly violations: readonly string[];
  /** What was done, and when. */
  readonly lines: readonly string[];
  readonly history: History;
  /** What each watcher of the round was told. */
  readonly told: ReadonlyMap<string, readonly string[]>;
  readonly plan: PlannedRound | undefined;
}

/** Writes a bundle into a new directory and resolves to it. The servers must have ended. */
export async function keepBundle(cluster: Cluster, content: BundleContent): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "meshkv-violation-"));
  const { history, lines, told, ...rest } = content;
  await writeFile(join(folder, "violation.json"), `${JSON.stringify(rest, undefined, 2)}\n`);
  await writeFile(join(folder, "events.txt"), `${lines.join("\n")}\n`);
  for (const [name, events] of told) {
    await writeFile(join(folder, `watcher-${name}.txt`), `${events.join("\n")}\n`);
  }
  const operations = [
    ...history.writes.map((write) => ({ kind: "write", ...write })),
    ...history.reads.map((read) => ({ kind: "read", ...read })),
  ].sort((a, b) => a.endedAtMs - b.endedAtMs);
  await writeFile(
    join(folder, "history.jsonl"),
    operations.map((one) => `${JSON.stringify(one)}\n`).join(""),
  );
  await mkdir(join(folder, "data"));
  for (const { name, process } of [...cluster.subjects, cluster.guest]) {
    await writeFile(join(folder, `${name}.log`), process.log);
    await cp(process.data, join(folder, "data", name), { recursive: true }).catch(() => {
      // It has never run, or its directory went with it.
    });
  }
  return folder;
}
