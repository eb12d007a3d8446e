import {
  decodeState,
  type Entry,
  FormatError,
  type KeyText,
  MeshkvError,
  type ReplicaId,
  TableCheck,
  type Version,
} from "@meshkv/core";
import type { Generation, TableReading } from "@meshkv/store";
import type { ComparedTable, TableReport } from "../handlers/comparison.ts";
import { meshIdOf } from "./report.ts";
import type { Run } from "./run.ts";

/** The table that the replica of this process serves. */
export class ServedTable implements ComparedTable {
  readonly #run: () => Run;

  /** @param run the run that answers reads, or it throws */
  constructor(run: () => Run) {
    this.#run = run;
  }

  identity(): { readonly replicaId: ReplicaId; readonly meshId: string } {
    const { host } = this.#run();
    if (host.rejoin !== undefined)
      throw new MeshkvError("BEHIND", "this replica rejoins: what it serves meanwhile is an old state");
    const { replica } = host.active;
    return { replicaId: replica.id, meshId: meshIdOf(replica.identity.mesh) };
  }

  async read(
    after: KeyText | undefined,
    bytesMax: number,
  ): Promise<{ entries: readonly Entry[]; done: boolean }> {
    const request = { kind: "entries", after, bytesMax } as const;
    const table = this.#table();
    const first = await table.scan(request);
    // Bad rows have been told by now, and this replica mends itself; what is left can still be compared.
    const result = first.kind === "failed" ? await table.scan({ ...request, skipDamaged: true }) : first;
    if (result.kind === "entries") return result;
    throw new MeshkvError("STORAGE_FAILED", result.kind === "failed" ? result.message : "wrong kind of scan");
  }

  entry(key: KeyText): Entry | undefined {
    try {
      return this.#table().entry(key);
    } catch (error) {
      // A damaged row counts as none, and has been told.
      if (error instanceof MeshkvError && error.code === "STORAGE_FAILED") return undefined;
      throw error;
    }
  }

  positions(): readonly Version[] {
    const { replica } = this.#run().host.active;
    return Array.from(replica.durableVector.entries(), ([origin, { timestamp }]) => ({ origin, timestamp }));
  }

  digest(): string {
    return this.#run().host.active.replica.durableDigest.summary();
  }

  async check(signal: AbortSignal): Promise<TableReport> {
    const check = new TableCheck();
    const { sections, damagedRows } = await this.#table().readTable((entry) => check.add(entry), signal);
    return {
      keys: check.keys,
      digest: digestIn(sections),
      computedDigest: check.digest.summary(),
      damagedRows,
    };
  }

  #table(): Generation {
    const { database, host } = this.#run();
    return database.generation(host.active.generation);
  }
}

function digestIn(sections: TableReading["sections"]): string {
  try {
    return decodeState(sections).progress.digest.summary();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new MeshkvError("STORAGE_FAILED", `the stored state of the replica is damaged: ${error.message}`);
  }
}
