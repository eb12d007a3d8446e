/** Server-sent events, written as fast as the client reads and no faster. */
import type { ServerResponse } from "node:http";

/** The media type of server-sent events. */
export const EVENT_STREAM_TYPE = "text/event-stream";

/** One event. A text without line breaks in `id`; `data` is sent as JSON. */
export interface ServerEvent {
  readonly name: string;
  readonly id?: string | undefined;
  readonly data: unknown;
}

/** An event as it goes over the wire. JSON has no line breaks, so one `data` line does. */
export function encodeEvent({ name, id, data }: ServerEvent): string {
  const token = id === undefined ? "" : `id: ${id}\n`;
  return `event: ${name}\n${token}data: ${JSON.stringify(data)}\n\n`;
}

/** A comment that keeps proxies awake; with a token it also moves the place from which the client resumes. */
export function encodeHeartbeat(id: string): string {
  return id === "" ? ": still here\n\n" : `: still here\nid: ${id}\n\n`;
}

/** Writes a text; resolves when the client has taken enough of it for more. Rejects with the signal's reason. */
export async function writeText(response: ServerResponse, text: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (response.write(text)) return;
  await new Promise<void>((resolve, reject) => {
    const drained = (): void => {
      signal.removeEventListener("abort", abort);
      resolve();
    };
    const abort = (): void => {
      response.off("drain", drained);
      reject(signal.reason as Error);
    };
    response.once("drain", drained);
    signal.addEventListener("abort", abort, { once: true });
  });
}
