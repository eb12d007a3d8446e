import type { History } from "./history.ts";

/** What a server must be past for a key, once it was seen there. */
interface Seen {
  readonly place: string;
  readonly key: string;
  readonly atMs: number;
  readonly version: string;
  /** A delete: nothing at this version is ever shown, only greater ones. */
  readonly isGone: boolean;
}

interface Floor {
  version: string;
  isGone: boolean;
}

/**
 * No resurrection: per server and key what is read never goes back, neither to an older version nor to one that had
 * disappeared. Only versions of acknowledged writes count as seen: a record that a rejoin has adopted carries a version
 * of its own, later than its place in the order.
 */
export function alwaysRising({ writes, reads }: History): string[] {
  const known = new Set<string>();
  const seen: Seen[] = [];
  for (const { server, epoch, key, value, endedAtMs, outcome, version } of writes) {
    if (outcome !== "ok") continue;
    known.add(version);
    seen.push({
      place: `${server}#${epoch}`,
      key,
      atMs: endedAtMs,
      version,
      isGone: value === undefined,
    });
  }
  for (const { server, epoch, key, entry, endedAtMs } of reads) {
    if (entry === undefined || !known.has(entry.version)) continue;
    seen.push({ place: `${server}#${epoch}`, key, atMs: endedAtMs, version: entry.version, isGone: false });
  }
  seen.sort((a, b) => a.atMs - b.atMs);

  const violations: string[] = [];
  const floors = new Map<string, Floor>();
  /** Reads that found nothing count when they have ended. */
  const absences: { readonly id: string; readonly version: string; readonly atMs: number }[] = [];
  let next = 0;
  for (const { server, epoch, key, entry, invokedAtMs, endedAtMs } of reads.toSorted(
    (a, b) => a.invokedAtMs - b.invokedAtMs,
  )) {
    for (let one = seen[next]; one !== undefined && one.atMs < invokedAtMs; one = seen[next]) {
      raise(floors, `${one.place} ${one.key}`, one.version, one.isGone);
      next += 1;
    }
    for (let index = absences.length - 1; index >= 0; index -= 1) {
      const absence = absences[index];
      if (absence === undefined || absence.atMs >= invokedAtMs) continue;
      raise(floors, absence.id, absence.version, true);
      absences.splice(index, 1);
    }
    const id = `${server}#${epoch} ${key}`;
    const floor = floors.get(id);
    if (floor === undefined) continue;
    if (entry === undefined) {
      if (!floor.isGone) absences.push({ id, version: floor.version, atMs: endedAtMs });
    } else if (entry.version < floor.version || (floor.isGone && entry.version === floor.version)) {
      const state = floor.isGone ? "was gone there" : "had been seen there";
      violations.push(
        `always-rising: ${server} shows ${key} at ${entry.version} (${entry.value}), yet ${floor.version} ${state}`,
      );
    }
  }
  return violations;
}

function raise(floors: Map<string, Floor>, id: string, version: string, isGone: boolean): void {
  const floor = floors.get(id);
  if (floor === undefined || version > floor.version) floors.set(id, { version, isGone });
  else if (version === floor.version && isGone) floor.isGone = true;
}
