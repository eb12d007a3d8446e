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
 * session writes is greater than all that it has seen. Takes runs in which no replica rejoins: there versions are the
 * order of writes.
 */
export function alwaysSession(steps: readonly SessionStep[], deletes: readonly KnownDelete[]): string[] {
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
      const possible = deletes.filter((one) => one.key === key && (one.version ?? floor) >= floor);
      if (possible.length === 0) tell("nothing is read");
      const least = possible.map((one) => one.version ?? floor).sort()[0];
      if (least !== undefined) floors.set(id, least);
      continue;
    }
    if (version < floor) tell(`${kind} answers ${version}`);
    if (kind !== "get" && version <= (highest.get(session) ?? ""))
      tell(`${kind} answers ${version}, which is not above ${highest.get(session) ?? ""}`);
    if (version > floor) floors.set(id, version);
    if (version > (highest.get(session) ?? "")) highest.set(session, version);
  }
  return violations;
}
