/**
 * Rows of the directory as a whole.
 *
 * ```
 * generation = sealed u32, the number of the current generation, at least 1
 * damage     = sealed UTF-8 text, one finding a line
 * ```
 */
import { ByteReader, ByteWriter, FormatError } from "@meshkv/core";
import type { Engine, EngineBatch } from "./engine.ts";
import { decodeSealed, encodeSealed } from "./group-rows.ts";
import { plain } from "./read-rows.ts";
import { generationOfRow, generationStart, rootRow } from "./row-keys.ts";

/** The name of the row that holds the number of the current generation. */
export const CURRENT_GENERATION = "generation";
/** The name of the row that keeps what a check of the files has found, until a rejoin has replaced the state. */
export const DAMAGE = "damage";

/** The number of the current generation; undefined in a new database. @throws FormatError */
export function currentGenerationOf(engine: Engine): number | undefined {
  const bytes = engine.getSync(rootRow(CURRENT_GENERATION));
  if (bytes === undefined) return undefined;
  const reader = new ByteReader(decodeSealed(plain(bytes)));
  const number = reader.u32();
  reader.end();
  if (number === 0) throw new FormatError("there is no generation 0");
  return number;
}

/** The value of the row that names the current generation. */
export function encodeCurrentGeneration(number: number): Uint8Array {
  return encodeSealed(new ByteWriter(4).u32(number).finish());
}

/** What the rows of the directory say, or have to say from now on. */
export interface Root {
  readonly currentGeneration: number;
  /** Findings, earlier ones first. */
  readonly damage: readonly string[];
}

/**
 * Reads the root rows, adds findings to those that are kept, and writes what is new with `write`. Where damage has taken
 * the row that names the current generation, the first one that has rows is it.
 */
export async function recoverRoot(
  engine: Engine,
  findings: readonly string[],
  write: (batch: EngineBatch) => Promise<void>,
): Promise<Root> {
  const kept = keptDamageOf(engine);
  const damage = new Set([...kept, ...findings]);
  let named: number | undefined;
  try {
    named = currentGenerationOf(engine);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    damage.add(`the row that names the current generation is damaged: ${error.message}`);
  }
  const first = named ?? (await firstGenerationFrom(engine, 1));
  if (named === undefined && first !== undefined) damage.add("nothing names the current generation");
  const currentGeneration = first ?? 1;
  if (named === undefined || damage.size > kept.length) {
    const batch = engine.batch();
    batch.put(rootRow(CURRENT_GENERATION), encodeCurrentGeneration(currentGeneration));
    if (damage.size > 0) batch.put(rootRow(DAMAGE), encodeDamage([...damage]));
    await write(batch);
  }
  return { currentGeneration, damage: [...damage] };
}

/** The first generation with a number from `number` on that has rows. */
export async function firstGenerationFrom(engine: Engine, number: number): Promise<number | undefined> {
  const iterator = engine.iterator({ gte: generationStart(number), values: false });
  try {
    const [first] = await iterator.nextv(1);
    return first === undefined ? undefined : generationOfRow(first[0]);
  } finally {
    await iterator.close();
  }
}

/** Findings that are kept; that they cannot be read is one, too. */
export function keptDamageOf(engine: Engine): string[] {
  const bytes = engine.getSync(rootRow(DAMAGE));
  if (bytes === undefined) return [];
  try {
    return new TextDecoder().decode(decodeSealed(plain(bytes))).split("\n");
  } catch (error) {
    if (error instanceof FormatError) return ["the row of kept findings is damaged"];
    throw error;
  }
}

/** The value of the row that keeps findings. */
function encodeDamage(findings: readonly string[]): Uint8Array {
  return encodeSealed(new TextEncoder().encode(findings.join("\n")));
}
