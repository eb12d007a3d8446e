import type { FoundEntry, History, ServerState, WriteAttempt } from "./history.ts";

/**
 * Nothing is shown that was not written: the value of an entry is that of the write whose version it carries; under a
 * version that no reply has named (an unknown end, or a record that a rejoin has adopted) it is at least the value of a
 * write of that key that was not refused.
 */
export function alwaysWritten({ writes, reads }: History, states: readonly ServerState[] = []): string[] {
  const named = new Map<string, WriteAttempt>();
  const possible = new Set<string>();
  for (const write of writes) {
    if (write.outcome === "ok") named.set(write.version, write);
    if (write.outcome !== "fail" && write.value !== undefined) possible.add(`${write.key} ${write.value}`);
  }
  const violations: string[] = [];
  const judge = (server: string, key: string, { version, value }: FoundEntry): void => {
    const write = named.get(version);
    const isRight =
      write === undefined ? possible.has(`${key} ${value}`) : write.key === key && write.value === value;
    if (!isRight) violations.push(`always-written: ${server} shows ${key} = ${value} at ${version}`);
  };
  for (const { server, key, entry } of reads) if (entry !== undefined) judge(server, key, entry);
  for (const { server, entries } of states) for (const [key, entry] of entries) judge(server, key, entry);
  return violations;
}
