/** The local database: what rules W2 and W6 ask of it. */
import { byScenario, type PlantedBug } from "./planted-bug.ts";
import type { Patch } from "./source-graph.ts";

function inStore(file: string, find: string, replace: string): Patch {
  return { file: `store/src/${file}`, find, replace };
}

export const STORAGE_BUGS: readonly PlantedBug[] = [
  {
    name: "writes-go-on-after-a-failed-batch",
    rule: "W2",
    effect: "the engine loses later acknowledged writes after one failed append",
    patches: [
      inStore(
        "engine-writer.ts",
        'this.#failure ??= storageError(error, "writing to the storage engine"); throw this.#failure;',
        'throw storageError(error, "writing to the storage engine");',
      ),
    ],
    hunt: byScenario("after-a-failed-batch-nothing-is-written"),
  },
  {
    name: "commits-are-not-synced",
    rule: "W2",
    effect: "a power failure takes acknowledged writes",
    patches: [inStore("engine-writer.ts", "batch.write({ sync: true })", "batch.write({ sync: false })")],
    hunt: byScenario("every-commit-is-synced"),
  },
  {
    name: "engine-meets-a-full-disk",
    rule: "W2",
    effect: "the engine fails in the middle of a batch, and the replica has to be opened again",
    patches: [inStore("engine-writer.ts", "if (isEssential || !this.#space.isFull) return;", "return;")],
    hunt: byScenario("a-full-disk-is-never-met"),
  },
  {
    name: "log-page-ends-inside-a-batch",
    rule: "W6",
    effect: "a peer shows half of a batch",
    patches: [inStore("scan.ts", "isInBatch = record.moreFollows;", "isInBatch = false;")],
    hunt: byScenario("a-log-is-read-in-whole-batches"),
  },
];
