/** Durations and sizes as people write them: a number and a unit. */
import { quoteText } from "./address.ts";

/** A quantity as it was read, or what is wrong with the text and what to write instead. */
export type QuantityResult = { readonly value: number } | { readonly problem: string };

/** What a quantity must lie between, in the unit that the parser returns; inclusive. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ["B", 1],
  ["KiB", 1024],
  ["MiB", 1024 ** 2],
  ["GiB", 1024 ** 3],
]);

/** Reads a duration such as `500ms`, `60s`, `1.5h` or `7d` as whole milliseconds. Never throws. */
export function parseDuration(text: string, bounds: Bounds): QuantityResult {
  return parseQuantity(text, DURATION_UNITS, bounds, "a duration", "60s");
}

/** Reads a size such as `512KiB`, `1MiB` or `4GiB` as whole bytes. Never throws. */
export function parseSize(text: string, bounds: Bounds): QuantityResult {
  return parseQuantity(text, SIZE_UNITS, bounds, "a size", "1MiB");
}

/** Milliseconds in the greatest unit that shows them without a fraction, such as `60s` for 60,000 and `1d` for a day. */
export function formatDuration(milliseconds: number): string {
  return formatQuantity(milliseconds, DURATION_UNITS);
}

/** Bytes in the greatest unit that shows them without a fraction, such as `1MiB` for 1,048,576. */
export function formatSize(bytes: number): string {
  return formatQuantity(bytes, SIZE_UNITS);
}

function parseQuantity(
  text: string,
  units: ReadonlyMap<string, number>,
  { min, max }: Bounds,
  what: string,
  example: string,
): QuantityResult {
  const parts = /^(\d{1,15}(?:\.\d{1,9})?)([a-z]+)$/i.exec(text.trim());
  const scale = units.get(parts?.[2] ?? "");
  if (parts === null || scale === undefined) {
    const advice = `write a number and a unit (${[...units.keys()].join(", ")}), such as ${example}`;
    return { problem: `${quoteText(text)} is not ${what}: ${advice}` };
  }
  const value = Math.round(Number(parts[1]) * scale);
  if (value >= min && value <= max) return { value };
  const range = `${formatQuantity(min, units)} to ${formatQuantity(max, units)}`;
  return { problem: `${quoteText(text)} is out of range: write ${what} from ${range}` };
}

function formatQuantity(value: number, units: ReadonlyMap<string, number>): string {
  const fitting = [...units].toReversed().find(([, scale]) => value !== 0 && value % scale === 0);
  const [unit, scale] = fitting ?? [units.keys().next().value ?? "", 1];
  return `${value / scale}${unit}`;
}
