import {
  type KeyText,
  makeRecord,
  type RecordFields,
  type ReplicaId,
  timestampFromMs,
  type WriteRecord,
} from "@meshkv/core";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { entryToMessage, recordToMessage } from "./entry-message.ts";

const A = "00000000000000aa" as ReplicaId;
const B = "00000000000000bb" as ReplicaId;
const NOW_MS = 1_800_000_000_000;

function record(fields: Partial<RecordFields>): WriteRecord {
  return makeRecord({
    timestamp: timestampFromMs(NOW_MS),
    origin: A,
    key: "k\u00ff" as KeyText,
    isDelete: false,
    value: Uint8Array.of(1, 2),
    expiresAtMs: 0,
    context: [],
    moreFollows: false,
    adopted: undefined,
    ...fields,
  });
}

describe("entries as messages", () => {
  it("show key, value, version, writer and times", () => {
    const message = recordToMessage(record({ expiresAtMs: NOW_MS + 5 }));
    expect(message.key).toEqual(Uint8Array.of(0x6b, 0xff));
    expect(message.value).toEqual(Uint8Array.of(1, 2));
    expect(message.version).toMatch(/^[0-9a-f]{16}00000000000000aa$/);
    expect(message.origin).toBe(A);
    expect(message.updateTime && timestampMs(message.updateTime)).toBe(NOW_MS);
    expect(message.expireTime && timestampMs(message.expireTime)).toBe(NOW_MS + 5);
    expect(message.deleted).toBe(false);
  });

  it("name the first writer of an adopted record", () => {
    const originalMs = NOW_MS - 60_000;
    const adopted = {
      timestamp: timestampFromMs(originalMs),
      origin: B,
      checksum: 1,
      rank: 1,
      raised: false,
    };
    const message = recordToMessage(record({ adopted }));
    expect(message.origin).toBe(B);
    expect(message.updateTime && timestampMs(message.updateTime)).toBe(originalMs);
    expect(message.version.endsWith(A)).toBe(true);
  });

  it("count puts among the siblings, and leave values out when asked", () => {
    const winner = record({ timestamp: timestampFromMs(NOW_MS + 1) });
    const siblings = [
      record({ value: Uint8Array.of(9) }),
      record({ isDelete: true, value: new Uint8Array(0) }),
    ];
    const message = entryToMessage({ winner, siblings }, { keysOnly: true });
    expect(message.conflictCount).toBe(1);
    expect(message.value).toEqual(new Uint8Array(0));
  });
});
