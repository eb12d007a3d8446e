import type { ServerState } from "./history.ts";

/** Two servers that could not hear each other have written a key, and both were acknowledged. */
export interface Duel {
  readonly key: string;
  readonly values: readonly [string, string];
}

const DIFFERENCES_SHOWN_MAX = 10;

/**
 * Conflicts: at rest all servers list the same winners and losers; and of two writes of a key that cannot have seen each
 * other, and that nothing has followed, the one is the winner and the other its only loser.
 */
export function eventuallyListed(states: readonly ServerState[], duels: readonly Duel[] = []): string[] {
  const [first, ...others] = states;
  if (first === undefined) return [];
  const violations: string[] = [];
  for (const other of others) {
    let differences = 0;
    for (const key of new Set([...first.conflicts.keys(), ...other.conflicts.keys()])) {
      const [a, b] = [show(first, key), show(other, key)];
      if (a === b) continue;
      differences += 1;
      if (differences <= DIFFERENCES_SHOWN_MAX)
        violations.push(`eventually-listed: ${key} is ${a} on ${first.server} and ${b} on ${other.server}`);
    }
    if (differences > DIFFERENCES_SHOWN_MAX)
      violations.push(
        `eventually-listed: ${first.server} and ${other.server} differ in the conflicts of ${differences} keys`,
      );
  }
  for (const state of states) {
    for (const { key, values } of duels) {
      const winner = state.entries.get(key)?.value;
      const losers = (state.conflicts.get(key) ?? []).map(({ value }) => value);
      const isRight = winner !== undefined && [winner, ...losers].sort().join() === [...values].sort().join();
      if (!isRight)
        violations.push(
          `eventually-listed: ${state.server} shows ${key} as ${winner ?? "absent"} over ${losers.join(", ") || "nothing"}, yet ${values.join(" and ")} were written apart`,
        );
    }
  }
  return violations;
}

function show({ entries, conflicts }: ServerState, key: string): string {
  const losers = (conflicts.get(key) ?? []).map(({ value, version }) => `${value} at ${version}`);
  return `${entries.get(key)?.version ?? "absent"} over ${losers.join(", ") || "nothing"}`;
}
