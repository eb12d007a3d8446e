/** Removes the rows of a generation in small synced batches, so that commits of others slip in between. */
import type { Engine } from "./engine.ts";
import type { EngineWriter } from "./engine-writer.ts";
import { generationStart } from "./row-keys.ts";

/** Rows of one batch, at most. */
const STEP_ROWS = 1000;
/** Keys of one batch; a step of an iterator ends there. */
const STEP_BYTES = 64 * 1024;
/** Rows after which the engine is asked to give back their space. */
const ROWS_PER_COMPACTION = 64_000;

/** Returns whether everything is gone; false when `isCancelled` said so first. */
export async function wipeGeneration(
  engine: Engine,
  writer: EngineWriter,
  generation: number,
  isCancelled: () => boolean,
): Promise<boolean> {
  const end = generationStart(generation + 1);
  let compactFrom = generationStart(generation);
  let from = compactFrom;
  let removed = 0;
  for (;;) {
    if (isCancelled()) return false;
    const rows = await nextRows(engine, from, end);
    const last = rows.at(-1);
    if (last !== undefined) {
      await writer.admit(true);
      const batch = engine.batch();
      for (const row of rows) batch.del(row);
      await writer.write(batch, 0);
      removed += rows.length;
      from = last;
    }
    if (removed >= ROWS_PER_COMPACTION || (last === undefined && removed > 0)) {
      if (isCancelled()) return false;
      await engine.compactRange?.(compactFrom, from);
      compactFrom = from;
      removed = 0;
    }
    if (last === undefined) return true;
  }
}

async function nextRows(engine: Engine, start: Uint8Array, end: Uint8Array): Promise<Uint8Array[]> {
  const iterator = engine.iterator({ gte: start, lt: end, values: false, highWaterMarkBytes: STEP_BYTES });
  try {
    return (await iterator.nextv(STEP_ROWS)).map(([row]) => row);
  } finally {
    await iterator.close();
  }
}
