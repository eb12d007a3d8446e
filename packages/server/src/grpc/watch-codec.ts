/** `KeyValue.Watch` as bytes: events that many watchers are told are encoded once. */
import {
  create,
  KeyValue,
  type MessageInitShape,
  methodCodec,
  toBinary,
  type WatchEvent,
  WatchResponseSchema,
} from "@meshkv/protocol";
import type { WatchReply } from "../handlers/watch-handlers.ts";

/** The tags of `resume` and `synced`; see `WatchResponse` in kv.proto. */
const RESUME = (2 << 3) | 2;
const SYNCED = 3 << 3;

const ENCODED = new WeakMap<readonly WatchEvent[], Uint8Array>();

function encodeEvents(events: readonly WatchEvent[]): Uint8Array {
  let bytes = ENCODED.get(events);
  if (bytes === undefined) {
    const message: MessageInitShape<typeof WatchResponseSchema> = { events: [...events] };
    bytes = toBinary(WatchResponseSchema, create(WatchResponseSchema, message));
    ENCODED.set(events, bytes);
  }
  return bytes;
}

let last: { readonly reply: WatchReply; readonly bytes: Buffer } | undefined;

/** Encodes a reply. Many watchers may be told the same one, one after the other. */
export function encodeWatchReply(reply: WatchReply): Buffer {
  if (last?.reply !== reply) last = { reply, bytes: encode(reply) };
  return last.bytes;
}

/** A message's bytes are those of its fields one after the other. */
function encode({ events, resume, synced }: WatchReply): Buffer {
  const told = events.length === 0 ? EMPTY : encodeEvents(events);
  const { length } = resume;
  const bytes = Buffer.allocUnsafe(told.length + 6 + length + 2);
  bytes.set(told);
  let at = told.length;
  if (length > 0) {
    bytes[at++] = RESUME;
    for (let rest = length; ; rest >>>= 7) {
      bytes[at++] = rest < 0x80 ? rest : (rest & 0x7f) | 0x80;
      if (rest < 0x80) break;
    }
    at += bytes.write(resume, at, "latin1");
  }
  if (synced) {
    bytes[at++] = SYNCED;
    bytes[at++] = 1;
  }
  return bytes.subarray(0, at);
}

/** For {@link fastServerStream}. */
export const WATCH_CODEC = {
  decode: methodCodec(KeyValue.method.watch).requestDeserialize,
  encode: encodeWatchReply,
};

const EMPTY = new Uint8Array(0);
