import type { Entry, KeyInfo } from "@meshkv/client";
import { describe, expect, it } from "vitest";
import { type ChangeEvent, eventLine } from "./watch-output.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const INFO: KeyInfo = {
  key: "k",
  keyBytes: bytes("k"),
  version: "2",
  expireTime: undefined,
  conflicts: 0,
  updateTime: new Date(Date.UTC(2026, 0, 2)),
  origin: "aa",
};
const OLD: Entry<Uint8Array> = { ...INFO, version: "1", value: bytes("old") };
const NOTHING = { previous: undefined, resume: undefined };

function line(event: ChangeEvent): string {
  return eventLine(event, { json: false, base64: false });
}

function json(event: ChangeEvent): unknown {
  return JSON.parse(eventLine(event, { json: true, base64: false }));
}

describe("an event", () => {
  it("is a line of what happened, the key, and values where there are any", () => {
    expect(line({ ...INFO, ...NOTHING, type: "put", value: bytes("new") })).toBe("put\tk\tnew");
    expect(line({ ...INFO, ...NOTHING, type: "put", value: bytes("new"), previous: OLD })).toBe(
      "put\tk\tnew\told",
    );
    expect(line({ ...INFO, ...NOTHING, type: "delete" })).toBe("delete\tk");
    expect(line({ ...INFO, ...NOTHING, type: "expire", previous: OLD })).toBe("expire\tk\told");
  });

  it("is of a conflict the winner and the loser, either of which may be a delete", () => {
    const about = { type: "conflict", key: "k", keyBytes: bytes("k"), version: "1", origin: "aa" } as const;
    const winner = { ...INFO, value: bytes("won") };
    expect(line({ ...about, resume: undefined, winner, loser: OLD })).toBe("conflict\tk\twon\told");
    const gone = { ...INFO, value: undefined };
    expect(line({ ...about, resume: undefined, winner: gone, loser: OLD })).toBe("conflict\tk\told");
    expect(line({ ...about, resume: undefined, winner, loser: gone })).toBe("conflict\tk\twon\t");
    expect(json({ ...about, resume: "r", winner: gone, loser: OLD })).toMatchObject({
      type: "conflict",
      entry: { key: "k", version: "2" },
      previous: { value: "old", version: "1" },
      resume: "r",
    });
  });

  it("is in JSON the whole entry, without a value when the key is gone", () => {
    const deleted = json({ ...INFO, type: "delete", previous: OLD, resume: "r" });
    expect(deleted).toEqual({
      type: "delete",
      entry: {
        key: "k",
        encoding: "utf8",
        version: "2",
        expireTime: null,
        conflicts: 0,
        updateTime: "2026-01-02T00:00:00.000Z",
        origin: "aa",
      },
      previous: expect.objectContaining({ value: "old", version: "1" }),
      origin: "aa",
      resume: "r",
    });
    expect(json({ ...INFO, ...NOTHING, type: "put", value: bytes("") })).not.toHaveProperty("resume");
  });
});
