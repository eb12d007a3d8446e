import type { FoundEntry, History, WriteAttempt } from "./history.ts";

/**
 * No acknowledged write lost, no deleted key back: at rest every key is where the greatest of its obliged writes has put
 * it, or further. A key that is absent needs a delete that explains it.
 */
export function eventuallyKept({ writes }: History, entries: ReadonlyMap<string, FoundEntry>): string[] {
  const byKey = new Map<string, WriteAttempt[]>();
  for (const write of writes) {
    const others = byKey.get(write.key);
    if (others === undefined) byKey.set(write.key, [write]);
    else others.push(write);
  }
  const violations: string[] = [];
  for (const [key, attempts] of byKey) {
    const problem = judge(attempts, entries.get(key));
    if (problem !== undefined) violations.push(`eventually-kept: ${key} ${problem}`);
  }
  return violations;
}

function judge(attempts: readonly WriteAttempt[], found: FoundEntry | undefined): string | undefined {
  let best: WriteAttempt | undefined;
  for (const write of attempts) {
    const isBetter = best === undefined || write.version > best.version;
    if (write.outcome === "ok" && write.isObliged && isBetter) best = write;
  }
  if (best === undefined) return undefined;
  const { version, value } = best;
  if (found !== undefined) {
    if (found.version > version || (found.version === version && value !== undefined)) return undefined;
    return `is ${found.value} at ${found.version}, yet ${show(best)} was acknowledged by ${best.server}`;
  }
  if (value === undefined) return undefined;
  const isExplained = attempts.some(
    (write) =>
      write.value === undefined &&
      (write.outcome === "unknown" || (write.outcome === "ok" && write.version > version)),
  );
  return isExplained ? undefined : `is absent, yet ${show(best)} was acknowledged by ${best.server}`;
}

function show({ value, version }: WriteAttempt): string {
  return `${value === undefined ? "a delete" : value} at ${version}`;
}
