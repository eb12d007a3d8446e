import { accept, fresh, KEY, NOW_MS, PEER, peerPut, SELF, valueOf } from "../../test/lone-with-peer.ts";
import { describe, expect, it } from "vitest";
import type { KeyText } from "../ids.ts";
import { CLOCK_DRIFT_MS_MAX } from "../limits.ts";
import { positionAt } from "../position.ts";
import { timestampFromMs } from "../timestamp.ts";

describe("accepting", () => {
  it("drops whatever its vector covers, also when it does not have the key (S3)", () => {
    const lone = fresh();
    lone.replica.accept(PEER, [], positionAt(timestampFromMs(NOW_MS)), NOW_MS);
    accept(lone, peerPut(0));
    expect(lone.replica.entry(KEY)).toBeUndefined();
    expect(lone.commit()?.records).toEqual([]);
  });

  it("logs losers too (S4)", () => {
    const lone = fresh();
    lone.nowMs = NOW_MS + 1000;
    lone.write("key", "winner");
    const loser = peerPut(1);
    accept(lone, loser);
    expect(lone.commit()?.records.map(({ origin }) => origin)).toEqual([SELF, PEER]);
    expect(valueOf(lone)).toBe("winner");
    expect(lone.replica.vector.get(PEER)).toBe(loser.timestamp);
  });

  it("does not issue a record of its own for one above the horizon", () => {
    const lone = fresh();
    accept(lone, peerPut(1));
    expect(lone.commit()?.records).toHaveLength(1);
  });

  it("also adopts what lies at or below its horizon: a forgotten tombstone may have beaten it here (F4)", () => {
    const lone = fresh();
    const horizon = timestampFromMs(NOW_MS);
    lone.replica.setHorizon(horizon, new Set([SELF]));
    const stray = peerPut(-5);
    accept(lone, stray);
    const [logged, adopted] = lone.commit()?.records ?? [];
    expect(logged).toEqual(stray);
    expect(adopted).toMatchObject({ origin: SELF, key: KEY });
    expect(adopted?.adopted).toEqual({
      timestamp: stray.timestamp,
      origin: PEER,
      checksum: stray.checksum,
      rank: horizon,
      raised: true,
    });
  });

  it("does not adopt a stray that loses to a record above the horizon, or that it has already (F4)", () => {
    const lone = fresh();
    lone.write("key", "above");
    lone.replica.setHorizon(timestampFromMs(NOW_MS - 1), new Set([SELF]));
    accept(lone, peerPut(-5));
    expect(lone.commit()?.records).toHaveLength(2);
    const other = peerPut(-4, { key: "other" as KeyText });
    lone.replica.adopt(other, NOW_MS);
    accept(lone, other);
    expect(lone.commit()?.records.map(({ origin }) => origin)).toEqual([SELF, PEER]);
  });

  it("does not let a clock far ahead drag its own along when it adopts (C5)", () => {
    const lone = fresh();
    const far = peerPut(CLOCK_DRIFT_MS_MAX + 1000);
    expect(lone.replica.adopt(far, NOW_MS)).toBe(true);
    const [adopted] = lone.commit()?.records ?? [];
    expect(adopted?.timestamp).toBeLessThan(timestampFromMs(NOW_MS + 1000));
    expect(adopted?.adopted?.rank).toBe(adopted?.timestamp);
    lone.write("key", "now");
    expect(valueOf(lone)).toBe("now");
  });
});
