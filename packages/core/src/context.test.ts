import { contexts, damagedBytes, isAccepted, replicaId, versions } from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter, FormatError } from "./bytes.ts";
import {
  type Context,
  ContextBuilder,
  contextCovers,
  EMPTY_CONTEXT,
  readContext,
  writeContext,
} from "./context.ts";
import { compareVersions } from "./version.ts";

function encode(context: Context): Uint8Array {
  const writer = new ByteWriter();
  writeContext(writer, context);
  return writer.finish();
}

function decode(bytes: Uint8Array): Context {
  const reader = new ByteReader(bytes);
  const context = readContext(reader);
  reader.end();
  return context;
}

describe("contexts", () => {
  it("cover, per origin, everything up to the latest version that was added", () => {
    fc.assert(
      fc.property(fc.array(versions()), versions(), (added, asked) => {
        const builder = new ContextBuilder();
        for (const { origin, timestamp } of added) builder.add(origin, timestamp);
        const context = builder.build();
        const expected = added.some((v) => v.origin === asked.origin && v.timestamp >= asked.timestamp);
        expect(contextCovers(context, asked.origin, asked.timestamp)).toBe(expected);
        for (const { origin, timestamp } of added)
          expect(contextCovers(context, origin, timestamp)).toBe(true);
        expect(context.every((seen) => added.some((v) => compareVersions(v, seen) === 0))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("do not depend on the order of adding", () => {
    fc.assert(
      fc.property(fc.array(versions()), (added) => {
        const [one, other] = [new ContextBuilder(), new ContextBuilder()];
        for (const { origin, timestamp } of added) one.add(origin, timestamp);
        for (const { origin, timestamp } of added.toReversed()) other.add(origin, timestamp);
        expect(encode(one.build())).toEqual(encode(other.build()));
      }),
    );
  });

  it("round-trip", () => {
    fc.assert(
      fc.property(contexts(), (context) => {
        expect(decode(encode(context))).toEqual(context);
      }),
    );
    expect(decode(encode(EMPTY_CONTEXT))).toEqual([]);
  });

  it("have one form only, and fail only as misshapen", () => {
    const damaged = damagedBytes(contexts().map(encode));
    fc.assert(
      fc.property(damaged, (bytes) => {
        const taken: Context[] = [];
        isAccepted(() => taken.push(decode(bytes)));
        for (const context of taken) expect(encode(context)).toEqual(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  it("are refused unsorted and with an origin twice", () => {
    const low = { origin: replicaId(1), timestamp: 5 };
    const high = { origin: replicaId(2), timestamp: 5 };
    for (const wrong of [
      [high, low],
      [low, low],
      [low, high, low],
    ]) {
      expect(() => decode(encode(wrong))).toThrow(FormatError);
    }
  });
});
