import type { EventLog } from "@meshkv/server";
import { lineTextOf } from "./byte-text.ts";
import type { Terminal } from "./terminal.ts";

type Level = "error" | "warn" | "info" | "debug";

/** A server's log as lines that a person reads. Programs get JSON, which the server writes by itself. */
export class PersonLog implements EventLog {
  readonly #terminal: Terminal;
  readonly #isVerbose: boolean;
  readonly #now: () => Date;

  /** @param isVerbose whether to write everything, not only what somebody should look at */
  constructor(terminal: Terminal, isVerbose: boolean, now: () => Date = () => new Date()) {
    this.#terminal = terminal;
    this.#isVerbose = isVerbose;
    this.#now = now;
  }

  error(fields: object, message: string): void {
    this.#write("error", fields, message);
  }

  warn(fields: object, message: string): void {
    this.#write("warn", fields, message);
  }

  info(fields: object, message: string): void {
    if (this.#isVerbose) this.#write("info", fields, message);
  }

  debug(fields: object, message: string): void {
    if (this.#isVerbose) this.#write("debug", fields, message);
  }

  #write(level: Level, fields: object, message: string): void {
    const { dim, red, yellow } = this.#terminal.colors;
    const paint = level === "error" ? red : level === "warn" ? yellow : dim;
    const details = Object.entries(fields).map(([name, value]) => `${name}=${detailText(value)}`);
    const tail = details.length === 0 ? "" : ` ${dim(details.join(" "))}`;
    const time = this.#now().toTimeString().slice(0, 8);
    this.#terminal.note(`${dim(time)} ${paint(level.padEnd(5))} ${lineText(message)}${tail}`);
  }
}

function detailText(value: unknown): string {
  const text =
    value instanceof Error ? value.message : typeof value === "string" ? value : JSON.stringify(value);
  return text === undefined ? "" : /\s|^$/.test(text) ? `"${lineText(text)}"` : lineText(text);
}

/** What peers and file systems say is not to be trusted with the terminal. */
function lineText(text: string): string {
  return lineTextOf(new TextEncoder().encode(text));
}
