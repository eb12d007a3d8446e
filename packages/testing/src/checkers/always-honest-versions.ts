import type { History, WriteAttempt } from "./history.ts";

/**
 * Versions are honest: a write that began after another was acknowledged by the same server has the greater version, and
 * no version names two writes.
 */
export function alwaysHonestVersions({ writes }: History): string[] {
  const violations: string[] = [];
  const owners = new Map<string, WriteAttempt>();
  const byServer = new Map<string, WriteAttempt[]>();
  for (const write of writes) {
    if (write.outcome !== "ok") continue;
    const owner = owners.get(write.version);
    if (owner !== undefined) {
      violations.push(`always-honest-versions: ${write.version} names ${show(owner)} and ${show(write)}`);
    }
    owners.set(write.version, write);
    const place = `${write.server}#${write.epoch}`;
    const others = byServer.get(place);
    if (others === undefined) byServer.set(place, [write]);
    else others.push(write);
  }
  for (const group of byServer.values()) violations.push(...misordered(group));
  return violations;
}

function misordered(writes: readonly WriteAttempt[]): string[] {
  const violations: string[] = [];
  const ended = writes.toSorted((a, b) => a.endedAtMs - b.endedAtMs);
  let next = 0;
  let greatest: WriteAttempt | undefined;
  for (const write of writes.toSorted((a, b) => a.invokedAtMs - b.invokedAtMs)) {
    for (let before = ended[next]; before !== undefined && before.endedAtMs < write.invokedAtMs; ) {
      if (greatest === undefined || before.version > greatest.version) greatest = before;
      next += 1;
      before = ended[next];
    }
    if (greatest !== undefined && write.version <= greatest.version) {
      violations.push(
        `always-honest-versions: ${show(write)} began after ${show(greatest)} was acknowledged by ${write.server}`,
      );
    }
  }
  return violations;
}

function show({ key, value, version }: WriteAttempt): string {
  return `${value === undefined ? "delete" : "put"} of ${key} (${value ?? ""}) at ${version}`;
}
