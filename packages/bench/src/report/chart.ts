import { formatNumber } from "../bench.ts";
import type { TargetResult } from "./targets.ts";

const ROW = 28;
const LABEL = 430;
const BAR = 300;
const WIDTH = LABEL + BAR + 220;
/** Bars end here: what is five times better than asked for needs no longer bar. */
const SHARE_MAX = 5;

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** How far a target is reached: 1 is just reached, above is better. */
function shareOf({ ratio, target, compare }: TargetResult): number | undefined {
  if (ratio === null) return undefined;
  return compare === "at least" ? ratio / target : target / ratio;
}

/** Every target as a bar: how many times as good as asked for, on a logarithmic axis from 1/5 to 5. */
export function chartOf(targets: readonly TargetResult[], title: string): string {
  const height = 60 + targets.length * ROW;
  const positionOf = (share: number): number => {
    const bounded = Math.min(SHARE_MAX, Math.max(1 / SHARE_MAX, share));
    return LABEL + (BAR * (Math.log(bounded) / Math.log(SHARE_MAX) + 1)) / 2;
  };
  const bars = targets.map((result, index) => {
    const y = 44 + index * ROW;
    const share = shareOf(result);
    const { name, ratio, target, unit, compare } = result;
    const wanted = `${compare === "at least" ? "≥" : "≤"} ${formatNumber(target)}`;
    const found = ratio === null ? "not measured" : `${formatNumber(ratio)} ${unit} (${wanted})`;
    const color = result.reached ? "#2a7d4f" : "#b3402f";
    const bar =
      share === undefined
        ? ""
        : `<rect x="${LABEL}" y="${y}" width="${(positionOf(share) - LABEL).toFixed(1)}" height="16" fill="${color}"/>`;
    return `<text x="${LABEL - 8}" y="${y + 12}" text-anchor="end">${escape(name)}</text>${bar}<text x="${LABEL + BAR + 8}" y="${y + 12}">${escape(found)}</text>`;
  });
  const one = positionOf(1);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">
<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>
<text x="12" y="22" font-size="15">${escape(title)}</text>
${bars.join("\n")}
<line x1="${one}" y1="36" x2="${one}" y2="${height - 14}" stroke="#333333" stroke-dasharray="4 3"/>
<text x="${one}" y="${height - 2}" text-anchor="middle">target</text>
</svg>
`;
}
