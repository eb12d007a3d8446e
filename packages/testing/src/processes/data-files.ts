/** What a test does to the data directory of a server that does not run: power cuts, flipped bits, copies. */
import { existsSync, statSync } from "node:fs";
import { cp, open, readdir, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "./eventually.ts";

/** A file of the engine, and how long it was. */
export interface LogMark {
  readonly name: string;
  readonly bytes: number;
}

/** The newest write-ahead log of a data directory, and its size now. */
export async function newestLog(data: string): Promise<LogMark> {
  const names = (await engineFiles(data, ".log")).sort(
    (a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10),
  );
  const name = names.at(-1);
  if (name === undefined) throw new Error(`${data} has no log`);
  return { name, bytes: (await stat(join(data, "engine", name))).size };
}

/** Resolves as soon as a log is longer than it was, or another one has taken its place: within a turn or two. */
export async function grown(data: string, { name, bytes }: LogMark): Promise<void> {
  const path = join(data, "engine", name);
  await eventually(`${name} grows`, async () => {
    for (let looks = 0; looks < 1000; looks += 1) {
      if (!existsSync(path) || statSync(path).size > bytes) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
    throw new Error(`it has ${bytes} bytes as before`);
  });
}

/** Names of the engine's files that end so, with numbers in ascending order. */
export async function engineFiles(data: string, suffix: string): Promise<string[]> {
  const names = await readdir(join(data, "engine"));
  return names.filter((name) => name.endsWith(suffix)).sort();
}

/**
 * Does to a directory what a power cut may do: the newest log ends anywhere after what had been acknowledged.
 * @param mark the newest log when the last acknowledgement arrived
 * @returns how many bytes were lost
 */
export async function cutPower(data: string, mark: LogMark): Promise<number> {
  const { name, bytes } = await newestLog(data);
  const kept = name === mark.name ? mark.bytes : 0;
  const end = kept + Math.floor(Math.random() * (bytes - kept + 1));
  await truncate(join(data, "engine", name), end);
  return bytes - end;
}

/** Copies a data directory, which may be in use. */
export async function copyData(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await cp(from, to, { recursive: true });
}

/** Flips one bit of a file of the engine, at a share (0 to 1) of its length; resolves to which bit it was. */
export async function flipBit(data: string, name: string, share: number): Promise<string> {
  const path = join(data, "engine", name);
  const { size } = await stat(path);
  const file = await open(path, "r+");
  try {
    const byte = new Uint8Array(1);
    const position = Math.min(size - 1, Math.floor(size * share));
    await file.read(byte, 0, 1, position);
    const bit = Math.floor(Math.random() * 8);
    byte[0] = (byte[0] ?? 0) ^ (1 << bit);
    await file.write(byte, 0, 1, position);
    return `bit ${bit} of byte ${position} of ${name}`;
  } finally {
    await file.close();
  }
}
