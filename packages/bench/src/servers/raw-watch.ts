/** Streams of the bench that count messages and decode nothing, over HTTP/2 itself: they cost less than what they measure. */
import { type ClientHttp2Session, connect } from "node:http2";
import { create, KeyValue, type MessageInitShape, toBinary, type WatchRequestSchema } from "@meshkv/protocol";

const PREFIX_BYTES = 5;
const { watch } = KeyValue.method;

/** One connection that watches. */
export class RawWatches {
  readonly #session: ClientHttp2Session;

  constructor(address: string) {
    this.#session = connect(`http://${address}`);
    this.#session.on("error", () => undefined);
  }

  /**
   * Watches; `onMessage` is called for each message that has come as a whole, `onEnd` when the stream ends, with what it
   * is known by.
   */
  watch(
    request: MessageInitShape<typeof WatchRequestSchema>,
    onMessage: () => void,
    onEnd: (reason: string) => void,
  ): void {
    const body = toBinary(watch.input, create(watch.input, request));
    const framed = Buffer.alloc(PREFIX_BYTES + body.length);
    framed.writeUInt32BE(body.length, 1);
    framed.set(body, PREFIX_BYTES);
    const stream = this.#session.request({
      ":method": "POST",
      ":path": `/${watch.parent.typeName}/${watch.name}`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let kept: Buffer = Buffer.alloc(0);
    stream.on("data", (chunk: Buffer) => {
      kept = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
      while (kept.length >= PREFIX_BYTES) {
        const end = PREFIX_BYTES + kept.readUInt32BE(1);
        if (kept.length < end) return;
        kept = kept.subarray(end);
        onMessage();
      }
    });
    stream.on("trailers", (trailers) => onEnd(String(trailers["grpc-message"] ?? trailers["grpc-status"])));
    stream.on("error", (error) => onEnd(String(error)));
    stream.end(framed);
  }

  close(): void {
    this.#session.destroy();
  }
}
