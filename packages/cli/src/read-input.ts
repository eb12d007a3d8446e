import { Buffer } from "node:buffer";
import type { Readable } from "node:stream";
import { MeshkvError } from "@meshkv/protocol";
import { formatSize } from "@meshkv/server/notation";

/** No server takes a greater value, so nothing beyond it needs to be read. */
const INPUT_BYTES_MAX = 64 * 1024 * 1024;

/**
 * All bytes of a stream, such as standard input; throws TOO_LARGE beyond what any server takes, CANCELLED when the
 * signal is aborted first.
 */
export async function readInput(stream: Readable, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const stop = (): void => {
    stream.destroy();
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const chunk of stream) {
      const bytes = chunk instanceof Uint8Array ? chunk : Buffer.from(String(chunk));
      length += bytes.length;
      if (length > INPUT_BYTES_MAX) {
        throw new MeshkvError(
          "TOO_LARGE",
          `the value is greater than ${formatSize(INPUT_BYTES_MAX)}, which no server takes`,
        );
      }
      chunks.push(bytes);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
  if (signal.aborted) throw new MeshkvError("CANCELLED", "interrupted");
  return Buffer.concat(chunks);
}
