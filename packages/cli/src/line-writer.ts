import type { Terminal } from "./terminal.ts";

/** Lines that are gathered go out together, at the latest with this many characters. */
const GATHERED_CHARS_MAX = 64 * 1024;

/** Writes lines to standard output, many at a time: a list of a million keys is not a million writes. */
export class LineWriter {
  readonly #terminal: Terminal;
  #lines: string[] = [];
  #characters = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Adds a line, given without its newline. */
  async add(line: string): Promise<void> {
    this.#lines.push(`${line}\n`);
    this.#characters += line.length + 1;
    if (this.#characters >= GATHERED_CHARS_MAX) await this.flush();
  }

  /** Writes what is left; nothing when there is nothing. */
  async flush(): Promise<void> {
    if (this.#lines.length === 0) return;
    const text = this.#lines.join("");
    this.#lines = [];
    this.#characters = 0;
    await this.#terminal.write(text);
  }
}

/** Writes a line for each item as they come; what came before a failure is written, too. */
export async function writeLines<Item>(
  terminal: Terminal,
  items: AsyncIterable<Item>,
  lineOf: (item: Item) => string,
): Promise<number> {
  const writer = new LineWriter(terminal);
  let count = 0;
  try {
    for await (const item of items) {
      count += 1;
      await writer.add(lineOf(item));
    }
  } finally {
    await writer.flush();
  }
  return count;
}
