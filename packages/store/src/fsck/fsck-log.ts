import type { KeyText } from "@meshkv/core";
import type { FsckReport } from "./fsck.ts";

/**
 * Which invariant does not hold:
 * - `file`: the engine's files are damaged; `engine`: it cannot read them; `damage`: an earlier check found something
 * - `row`: a row cannot be decoded, lies under another's key, or belongs to no table
 * - `generation`, `state`: the rows that say what the directory holds are missing or misshapen
 * - `expiry`, `conflicted`: an index and the entries disagree
 * - `log`: a log and the state disagree; `coverage`: a log and the entries disagree
 * - `digest`: the digest or the count of keys is not that of the entries
 */
export type FsckKind =
  | "file"
  | "engine"
  | "damage"
  | "row"
  | "generation"
  | "state"
  | "expiry"
  | "conflicted"
  | "log"
  | "coverage"
  | "digest";

/** Something that is wrong in a data directory. */
export interface FsckFinding {
  readonly kind: FsckKind;
  readonly message: string;
}

/** A directory that is beyond hope need not fill the memory, too. */
const FINDINGS_MAX = 1000;
const KEY_SHOWN_MAX = 64;

/** Collects what a check finds and counts. */
export class FsckLog {
  readonly #findings: FsckFinding[] = [];
  readonly #counts = new Map<string, number>();
  #left = 0;

  tell(kind: FsckKind, message: string): void {
    if (this.#findings.length < FINDINGS_MAX) this.#findings.push({ kind, message });
    else this.#left += 1;
  }

  add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  report(): FsckReport {
    if (this.#left > 0) this.add("findingsNotTold", this.#left);
    return { findings: this.#findings, counts: Object.fromEntries(this.#counts) };
  }
}

/** A key as readers of a report can copy it: printable ASCII as it is, other bytes as \xNN, cut when long. */
export function showKey(key: KeyText): string {
  let text = "";
  for (const character of key.slice(0, KEY_SHOWN_MAX)) {
    const code = character.charCodeAt(0);
    const isPlain = code >= 0x20 && code < 0x7f && character !== '"' && character !== "\\";
    text += isPlain ? character : `\\x${code.toString(16).padStart(2, "0")}`;
  }
  return `"${text}${key.length > KEY_SHOWN_MAX ? "..." : ""}"`;
}
