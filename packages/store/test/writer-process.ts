/** A process of its own that writes to an engine until it is killed. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

const SCRIPT = `
  const { ClassicLevel } = require(process.argv[2]);
  const level = new ClassicLevel(process.argv[1], { keyEncoding: "utf8", valueEncoding: "utf8", writeBufferSize: 65536 });
  (async () => {
    await level.open();
    for (let number = Number(process.argv[3]); ; number += 1) {
      const batch = level.batch();
      batch.put("last", String(number));
      for (let row = 0; row < 10; row += 1) batch.put("row " + (number * 7 + row) % 500, "x".repeat((number * 37) % 3000));
      await batch.write({ sync: true });
      process.stdout.write(number + "\\n");
    }
  })();`;

function start(directory: string, first: number): ChildProcessByStdio<null, Readable, null> {
  const classicLevel = createRequire(import.meta.url).resolve("classic-level");
  return spawn(process.execPath, ["-e", SCRIPT, directory, classicLevel, String(first)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/**
 * Writes numbered synced batches from `first` on in another process, and kills it with SIGKILL while it goes on, after
 * `count` were acknowledged. Returns the last number that was.
 */
export async function writeUntilKilled(directory: string, first: number, count: number): Promise<number> {
  const child = start(directory, first);
  const exited = once(child, "exit");
  let last = first - 1;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    if (last === first + count - 1) child.kill("SIGKILL");
  }
  await exited;
  return last;
}
