import { Digest } from "../digest.ts";
import type { Entry } from "../entry.ts";
import { countWinner } from "../replica/count-winner.ts";

/** Counts what a table holds, entry by entry, to be held against what was kept up with every write. */
export class TableCheck {
  readonly #digest = new Digest();
  #keys = 0;

  /** Counts an entry in; each once, in any order. */
  add(entry: Entry): void {
    countWinner(this.#digest, entry, "add");
    if (!entry.winner.isDelete) this.#keys += 1;
  }

  /** Keys whose winner is a put. */
  get keys(): number {
    return this.#keys;
  }

  /** The digest of what was counted. */
  get digest(): Digest {
    return this.#digest;
  }
}
