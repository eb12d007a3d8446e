import type { FoundEntry, ServerState } from "./history.ts";

const DIFFERENCES_SHOWN_MAX = 10;

/** Convergence: at rest all servers list the same entries, versions included, under one digest. */
export function eventuallyEqual(states: readonly ServerState[]): string[] {
  const [first, ...others] = states;
  if (first === undefined) return [];
  const violations: string[] = [];
  for (const other of others) {
    let differences = 0;
    for (const key of new Set([...first.entries.keys(), ...other.entries.keys()])) {
      const [a, b] = [first.entries.get(key), other.entries.get(key)];
      if (a?.version === b?.version && a?.value === b?.value) continue;
      differences += 1;
      if (differences <= DIFFERENCES_SHOWN_MAX) {
        violations.push(
          `eventually-equal: ${key} is ${show(a)} on ${first.server} and ${show(b)} on ${other.server}`,
        );
      }
    }
    if (differences > DIFFERENCES_SHOWN_MAX) {
      violations.push(`eventually-equal: ${first.server} and ${other.server} differ in ${differences} keys`);
    }
    if (first.digest !== other.digest) {
      violations.push(`eventually-equal: ${first.server} and ${other.server} have different digests`);
    }
  }
  return violations;
}

function show(entry: FoundEntry | undefined): string {
  return entry === undefined ? "absent" : `${entry.value} at ${entry.version}`;
}
