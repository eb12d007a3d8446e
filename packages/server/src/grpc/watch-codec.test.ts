import {
  create,
  fromBinary,
  toBinary,
  WatchEvent_Type,
  WatchEventSchema,
  WatchResponseSchema,
} from "@meshkv/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WatchReply } from "../handlers/watch-handlers.ts";
import { encodeWatchReply } from "./watch-codec.ts";

const EVENTS = fc.array(
  fc
    .record({ key: fc.uint8Array({ minLength: 1, maxLength: 20 }), value: fc.uint8Array({ maxLength: 300 }) })
    .map((entry) =>
      create(WatchEventSchema, { type: WatchEvent_Type.PUT, entry, origin: "00000000000000aa" }),
    ),
  { maxLength: 5 },
);
const TOKEN = fc.uint8Array({ maxLength: 20_000 }).map((bytes) => Buffer.from(bytes).toString("base64url"));

describe("encodeWatchReply", () => {
  it("makes the bytes of a WatchResponse, again and again of the same events", () => {
    fc.assert(
      fc.property(EVENTS, TOKEN, TOKEN, fc.boolean(), (events, first, second, synced) => {
        for (const resume of [first, second]) {
          const reply: WatchReply = { events, resume, synced };
          const bytes = new Uint8Array(encodeWatchReply(reply));
          const message = create(WatchResponseSchema, { events, resume, synced });
          expect(fromBinary(WatchResponseSchema, bytes)).toEqual(
            fromBinary(WatchResponseSchema, toBinary(WatchResponseSchema, message)),
          );
        }
      }),
      { numRuns: 100 },
    );
  });
});
