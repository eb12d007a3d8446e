import { replicaId } from "@meshkv/testing/pure";
import { describe, expect, it } from "vitest";
import type { KeyText } from "./ids.ts";
import {
  BATCH_BYTES_MAX,
  BATCH_WRITES_MAX,
  FRAME_BYTES_TARGET,
  KEY_BYTES_MAX,
  PAGE_SIZE_DEFAULT,
  PAGE_SIZE_MAX,
  PEER_MESSAGE_BYTES_MAX,
  TTL_MS_MAX,
  TTL_MS_MIN,
  VALUE_BYTES_CEILING,
  VALUE_BYTES_MAX,
} from "./limits.ts";
import { makeRecord, RECORD_OVERHEAD_BYTES } from "./record.ts";
import { TIMESTAMP_MAX, timestampFromMs } from "./timestamp.ts";

describe("limits", () => {
  it("let the greatest record and the greatest batch through to peers, with a thousand origins in every context", () => {
    const origins = 1000;
    const context = Array.from({ length: origins }, (_, index) => ({
      origin: replicaId(index),
      timestamp: TIMESTAMP_MAX,
    }));
    const { bytes } = makeRecord({
      timestamp: TIMESTAMP_MAX,
      origin: replicaId(1),
      key: "k".repeat(KEY_BYTES_MAX) as KeyText,
      isDelete: false,
      value: new Uint8Array(0),
      expiresAtMs: TIMESTAMP_MAX,
      context,
      moreFollows: false,
      adopted: { timestamp: 1, origin: replicaId(2), checksum: 0, rank: 1, raised: true },
    });
    expect(bytes.length + VALUE_BYTES_CEILING).toBeLessThan(PEER_MESSAGE_BYTES_MAX);
    const batch = BATCH_BYTES_MAX + BATCH_WRITES_MAX * (RECORD_OVERHEAD_BYTES + 2 + origins * 16);
    expect(batch).toBeLessThan(PEER_MESSAGE_BYTES_MAX);
  });

  it("fit each other", () => {
    expect(KEY_BYTES_MAX + VALUE_BYTES_MAX).toBeLessThan(BATCH_BYTES_MAX);
    expect(VALUE_BYTES_MAX).toBeLessThan(VALUE_BYTES_CEILING);
    expect(FRAME_BYTES_TARGET).toBeLessThan(PEER_MESSAGE_BYTES_MAX);
    expect(PAGE_SIZE_DEFAULT).toBeLessThan(PAGE_SIZE_MAX);
    expect(TTL_MS_MIN).toBeLessThan(TTL_MS_MAX);
  });

  it("leave room for the longest deadline until 2080", () => {
    expect(timestampFromMs(Date.UTC(2080, 0) + TTL_MS_MAX)).toBeLessThan(TIMESTAMP_MAX);
  });
});
