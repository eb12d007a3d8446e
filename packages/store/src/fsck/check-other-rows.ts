import type { Engine } from "../engine.ts";
import { readRows } from "../read-rows.ts";
import { CURRENT_GENERATION, DAMAGE } from "../root-rows.ts";
import { generationOfRow, generationStart, rootRow, ROW_PREFIX_BYTES } from "../row-keys.ts";
import type { FsckLog } from "./fsck-log.ts";

const ROOT_NAMES = [CURRENT_GENERATION, DAMAGE];

/**
 * Checks the rows outside the current generation. Those of other generations are what a rejoin that was cut short left
 * behind: incomplete by nature, removed at the next start, and only counted.
 */
export async function checkOtherRows(
  engine: Engine,
  current: number | undefined,
  log: FsckLog,
): Promise<void> {
  let hasRows = false;
  const known = new Set(ROOT_NAMES.map((name) => String(rootRow(name))));
  const checkRow = (row: Uint8Array): boolean => {
    if (row.length < ROW_PREFIX_BYTES) {
      log.tell("row", `row ${String(row)} is too short`);
      return true;
    }
    const generation = generationOfRow(row);
    if (generation === 0) {
      if (!known.has(String(row))) log.tell("row", `root row ${String(row)} is not known`);
    } else {
      hasRows = true;
      log.add("rowsOfOtherGenerations");
    }
    return true;
  };
  const below = current === undefined ? {} : { lt: generationStart(current) };
  await readRows(engine.iterator(below), 1000, checkRow);
  if (current !== undefined && current < 0xffff_ffff) {
    await readRows(engine.iterator({ gte: generationStart(current + 1) }), 1000, checkRow);
  }
  if (current === undefined && hasRows) log.tell("generation", "no row names the current generation");
}
