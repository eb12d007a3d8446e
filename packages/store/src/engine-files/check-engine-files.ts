/**
 * Checks the files of a closed LevelDB directory before the engine opens it: opening replays the write-ahead log, drops
 * what is damaged in it in silence, and may copy damaged blocks under new checksums.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../failure.ts";
import type { FileFinding } from "./finding.ts";
import { fixed32, fixed64 } from "./little-endian.ts";
import { BATCH_HEADER_BYTES, type LogDefect, readLogFile } from "./log-file.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import { checkTableFile } from "./table-file.ts";

/** Findings of one file that are told; more say nothing new. */
const FINDINGS_PER_FILE_MAX = 8;

/** What a check has read. */
export interface FileCheck {
  readonly findings: readonly FileFinding[];
  readonly files: number;
  readonly bytes: number;
}

/** What is known about the files that are to be checked. */
export interface FileCheckOptions {
  /** The engine was closed in order: then no write was cut short, and a log that ends inside a record has lost some. */
  readonly isClosed?: boolean;
}

/** Checks manifest, write-ahead logs and tables. A directory without a database has nothing to be found. */
export async function checkEngineFiles(
  directory: string,
  { isClosed = false }: FileCheckOptions = {},
): Promise<FileCheck> {
  const checker = new FileChecker(directory, isClosed);
  await checker.run();
  return checker.result;
}

class FileChecker {
  readonly #directory: string;
  readonly #isClosed: boolean;
  readonly #findings: FileFinding[] = [];
  #files = 0;
  #bytes = 0;

  constructor(directory: string, isClosed: boolean) {
    this.#directory = directory;
    this.#isClosed = isClosed;
  }

  get result(): FileCheck {
    return { findings: this.#findings, files: this.#files, bytes: this.#bytes };
  }

  async run(): Promise<void> {
    const current = await this.#read("CURRENT");
    if (current === undefined) {
      // LevelDB would begin a new database, and remove what is there as not belonging to it.
      if (await this.#holdsRows()) this.#tell("CURRENT", [{ offset: 0, message: "the file is missing" }]);
      return;
    }
    const name = /^(MANIFEST-\d+)\n$/.exec(new TextDecoder("latin1").decode(current))?.[1];
    if (name === undefined) {
      this.#tell("CURRENT", [{ offset: 0, message: "it names no manifest" }]);
      return;
    }
    const bytes = await this.#read(name);
    if (bytes === undefined) {
      this.#tell(name, [{ offset: 0, message: "the manifest is missing" }]);
      return;
    }
    const manifest = readManifest(bytes);
    this.#tell(name, manifest.defects);
    if (manifest.tornAt !== undefined) this.#tellTorn(name, manifest.tornAt);
    await this.#checkLogs(manifest);
    for (const [number, size] of manifest.tables) await this.#checkTable(number, size);
  }

  async #checkLogs({ logNumber, previousLogNumber }: Manifest): Promise<void> {
    const logs: { readonly name: string; readonly number: number }[] = [];
    for (const name of await readdir(this.#directory)) {
      const digits = /^(\d+)\.log$/.exec(name)?.[1];
      const number = Number(digits ?? Number.NaN);
      if (number >= logNumber || (number === previousLogNumber && number > 0)) logs.push({ name, number });
    }
    logs.sort((a, b) => a.number - b.number);
    let torn: { readonly name: string; readonly offset: number } | undefined;
    let nextSequence: number | undefined;
    for (const { name } of logs) {
      const { records, defects, tornAt } = readLogFile((await this.#read(name)) ?? new Uint8Array(0));
      this.#tell(name, defects);
      if (torn !== undefined && (records.length > 0 || tornAt !== undefined || defects.length > 0)) {
        // Only the last write before a stop can be cut short; here others follow it in a newer log.
        this.#tell(torn.name, [
          { offset: torn.offset, message: "the log ends inside a record, yet a newer log goes on" },
        ]);
        torn = undefined;
      }
      if (tornAt !== undefined) torn = { name, offset: tornAt };
      if (defects.length > 0) nextSequence = undefined;
      else nextSequence = this.#checkSequence(name, records, nextSequence);
    }
    if (torn !== undefined) this.#tellTorn(torn.name, torn.offset);
  }

  /** A last write may have been cut short, but not by an orderly stop. */
  #tellTorn(file: string, offset: number): void {
    if (!this.#isClosed) return;
    this.#tell(file, [{ offset, message: "the file ends inside a record, yet it was closed in order" }]);
  }

  /** Batches are numbered without gaps; a gap is a batch, or a whole file, that got lost. */
  #checkSequence(
    name: string,
    records: readonly Uint8Array[],
    first: number | undefined,
  ): number | undefined {
    let expected = first;
    for (const record of records) {
      if (record.length < BATCH_HEADER_BYTES) {
        this.#tell(name, [{ offset: 0, message: "a batch is shorter than its header" }]);
        return undefined;
      }
      const sequence = fixed64(record, 0);
      if (expected !== undefined && sequence !== expected) {
        this.#tell(name, [{ offset: 0, message: `batch ${sequence} follows where ${expected} should` }]);
        return undefined;
      }
      expected = sequence + fixed32(record, 8);
    }
    return expected;
  }

  async #checkTable(number: number, size: number): Promise<void> {
    const stem = String(number).padStart(6, "0");
    const name = (await this.#has(`${stem}.ldb`)) ? `${stem}.ldb` : `${stem}.sst`;
    const bytes = await this.#read(name);
    if (bytes === undefined) {
      this.#tell(`${stem}.ldb`, [{ offset: 0, message: "the table is missing" }]);
    } else if (bytes.length < size) {
      this.#tell(name, [{ offset: bytes.length, message: `the table should have ${size} bytes` }]);
    } else {
      this.#tell(name, checkTableFile(bytes.subarray(0, size)));
    }
  }

  #tell(file: string, defects: readonly LogDefect[]): void {
    for (const { offset, message } of defects.slice(0, FINDINGS_PER_FILE_MAX)) {
      this.#findings.push({ file, offset, message });
    }
  }

  async #holdsRows(): Promise<boolean> {
    try {
      return (await readdir(this.#directory)).some((name) => /^\d+\.(ldb|sst|log)$/.test(name));
    } catch (error) {
      if (hasCode(error, "ENOENT")) return false;
      throw error;
    }
  }

  async #has(name: string): Promise<boolean> {
    try {
      await stat(join(this.#directory, name));
      return true;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return false;
      throw error;
    }
  }

  async #read(name: string): Promise<Uint8Array | undefined> {
    try {
      const buffer = await readFile(join(this.#directory, name));
      this.#files += 1;
      this.#bytes += buffer.length;
      return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }
}
