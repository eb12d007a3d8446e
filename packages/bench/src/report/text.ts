import { formatNumber, type Measure } from "../bench.ts";
import type { TargetResult } from "./targets.ts";

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The figures and the targets for people. */
export function reportText(measures: readonly Measure[], targets: readonly TargetResult[]): string {
  const figures = measures.map(({ name, unit, value, spread, rounds, note }) => [
    note === undefined ? name : `${name} (${note})`,
    formatNumber(value),
    unit,
    rounds.length > 1 ? `± ${((spread * 100) / 2).toFixed(0)} %` : "",
  ]);
  const judged = targets.map(({ name, ratio, target, compare, unit, reached, note, processorRatio }) => [
    note === undefined ? name : `${name} (${note})`,
    ratio === null ? "-" : formatNumber(ratio),
    `${compare === "at least" ? "≥" : "≤"} ${formatNumber(target)}`,
    unit,
    processorRatio === undefined ? "" : formatNumber(processorRatio),
    reached ? "reached" : "NOT reached",
  ]);
  return `${table([["FIGURE", "MEDIAN", "", "ROUNDS"], ...figures])}\n\n${table([["TARGET", "FOUND", "WANTED", "", "BY PROCESSOR TIME", ""], ...judged])}\n`;
}
