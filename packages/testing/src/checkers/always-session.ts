/** One step of a session that was answered, in the session's order. */
export interface SessionStep {
  readonly session: string;
  readonly server: string;
  readonly key: string;
  /** `delete` and `set` were acknowledged, `get` was answered. */
  readonly kind: "get" | "set" | "delete";
  /** Of the write, or of the entry that was read; undefined: there was none. */
  readonly version: string | undefined;
}

/** A delete of anybody; the version is undefined when nobody can say whether it was done. */
export interface KnownDelete {
  readonly key: string;
  readonly version: string | undefined;
}

/**
 * Read your writes and monotonic reads: what a session reads is at least as new as what it wrote or read before, whichever
 * server answers; and where it reads nothing there is a delete that is as new. Writes follow reads: a version that a
 * session writes is greater than all that it has seen.
 * @param isOrdered whether a version is its write's place in the order: always, unless a rejoin has adopted the record
 * under a version that is later than its place
 */
export function alwaysSession(
  steps: readonly SessionStep[],
  deletes: readonly KnownDelete[],
  isOrdered: (version: string) => boolean = () => true,
): string[] {
  const deletesOf = new Map<string, KnownDelete[]>();
  for (const one of deletes) {
    const others = deletesOf.get(one.key);
    if (others === undefined) deletesOf.set(one.key, [one]);
    else others.push(one);
  }
  const floors = new Map<string, string>();
  const highest = new Map<string, string>();
  const violations: string[] = [];
  for (const { session, server, key, kind, version } of steps) {
    const id = `${session} ${key}`;
    const floor = floors.get(id) ?? "";
    const tell = (what: string): void => {
      violations.push(
        `always-session: ${session} at ${server}, ${key}: ${what}, after ${floor || "nothing"}`,
      );
    };
    if (version === undefined) {
      if (floor === "") continue;
      let least: string | undefined;
      for (const one of deletesOf.get(key) ?? []) {
        const at = one.version ?? floor;
        if (at >= floor && (least === undefined || at < least)) least = at;
      }
      if (least === undefined) tell("nothing is read");
      else floors.set(id, least);
      continue;
    }
    if (version < floor) tell(`${kind} answers ${version}`);
    if (kind !== "get" && version <= (highest.get(session) ?? ""))
      tell(`${kind} answers ${version}, which is not above ${highest.get(session) ?? ""}`);
    if (version > floor && isOrdered(version)) floors.set(id, version);
    if (version > (highest.get(session) ?? "")) highest.set(session, version);
  }
  return violations;
}
