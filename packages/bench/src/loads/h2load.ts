/** Unary gRPC from a native load generator with a prepared body: the client costs little, so the server is measured. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { pinned } from "../servers/child.ts";

const run = promisify(execFile);

/** What is called. */
export interface UnaryCall {
  readonly address: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  /** The encoded message. */
  readonly body: Uint8Array;
  /** Calls of each of the 8 connections that are in flight, 32 unless said otherwise. */
  readonly inFlight?: number;
}

/** What h2load saw. It takes every HTTP 200 for a success, errors of gRPC too: the server's own count has to agree. */
export interface UnaryResult {
  /** Calls per second. */
  readonly rate: number;
  /** Calls that were answered in all, warm-up included. */
  readonly calls: number;
}

/** What the tool may take beyond its time, in seconds. */
const SPARE_SECONDS = 60;

let files = 0;

/** How long is measured, in seconds, and for how long before that it runs uncounted. */
export interface UnaryTime {
  readonly seconds: number;
  readonly warmSeconds: number;
}

/** 8 connections with calls in flight on each, for some seconds after a warm-up. */
export async function unaryThroughput(
  folder: string,
  { address, path, body, inFlight = 32 }: UnaryCall,
  { seconds, warmSeconds }: UnaryTime,
): Promise<UnaryResult> {
  files += 1;
  const file = join(folder, `body-${files}`);
  const framed = Buffer.alloc(5 + body.length);
  framed.writeUInt32BE(body.length, 1);
  framed.set(body, 5);
  await writeFile(file, framed);
  const [program, args] = pinned(
    "load",
    [
      ["h2load", "-t", "1", "-c", "8", "-m", String(inFlight)],
      ["-D", String(seconds), "--warm-up-time", `${warmSeconds * 1000}ms`],
      ["-d", file, "-H", "content-type: application/grpc", "-H", "te: trailers"],
      `http://${address}${path}`,
    ].flat(),
  );
  const { stdout } = await run(program, args, { timeout: (seconds + SPARE_SECONDS) * 1000 });
  const rate = /finished in [\d.]+\w+, ([\d.]+) req\/s/.exec(stdout)?.[1];
  const counts = /requests: (\d+) total.*?(\d+) succeeded, (\d+) failed/.exec(stdout);
  if (rate === undefined || counts === null || Number(counts[2]) === 0)
    throw new Error(`h2load says: ${stdout}`);
  return { rate: Number(rate), calls: Number(counts[2]) };
}
