/** How many bytes a directory takes, read in the background when somebody asks. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

const STALE_MS = 5000;

export class DirectorySize {
  readonly #directory: string | undefined;
  #bytes = 0;
  #readAtMs = 0;

  /** @param directory undefined: nothing is on disk */
  constructor(directory: string | undefined) {
    this.#directory = directory;
  }

  /** Bytes when last read, a few seconds ago at most if it is asked for often. */
  get bytes(): number {
    if (Math.abs(Date.now() - this.#readAtMs) > STALE_MS) void this.refresh();
    return this.#bytes;
  }

  /** Reads the size now. */
  async refresh(): Promise<void> {
    this.#readAtMs = Date.now();
    if (this.#directory !== undefined) await this.#read(this.#directory);
  }

  async #read(directory: string): Promise<void> {
    try {
      const files = await readdir(directory, { recursive: true, withFileTypes: true });
      const sizes = await Promise.all(
        // A compaction may remove a file at any moment.
        files
          .filter((f) => f.isFile())
          .map((f) =>
            stat(join(f.parentPath, f.name)).then(
              (s) => s.size,
              () => 0,
            ),
          ),
      );
      this.#bytes = sizes.reduce((sum, size) => sum + size, 0);
    } catch {
      // The directory does not exist yet: the size stays what it was.
    }
  }
}
