import { formatVersion, type KeyText, MeshkvError, type ReplicaId, TTL_MS_MAX } from "@meshkv/core";
import {
  ConditionSchema,
  create,
  DurationSchema,
  fromBinary,
  toBinary,
  WriteConcernSchema,
} from "@meshkv/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  pageSize,
  requireConcern,
  requireCondition,
  requireDurationMs,
  requireExpiry,
  requireKey,
  requireRange,
  requireReplicaId,
  requireValue,
} from "./validate.ts";

const LOCAL = { kind: "replicas", count: 1 } as const;
const NONE = new Uint8Array(0);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const seconds = (whole: bigint, nanos = 0): ReturnType<typeof create<typeof DurationSchema>> =>
  create(DurationSchema, { seconds: whole, nanos });

function failure(run: () => unknown): Pick<MeshkvError, "code" | "message" | "metadata"> {
  try {
    run();
  } catch (error) {
    if (error instanceof MeshkvError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("keys and values", () => {
  it("have their limits", () => {
    expect(requireKey(new Uint8Array(1024))).toHaveLength(1024);
    expect(failure(() => requireKey(NONE))).toMatchObject({
      code: "INVALID_ARGUMENT",
      metadata: { field: "key" },
    });
    expect(failure(() => requireKey(new Uint8Array(1025)))).toMatchObject({
      code: "TOO_LARGE",
      metadata: { field: "key", limit: "1024" },
    });
    expect(requireValue(new Uint8Array(8), 8)).toHaveLength(8);
    expect(failure(() => requireValue(new Uint8Array(9), 8))).toMatchObject({
      code: "TOO_LARGE",
      message: "value: 9 bytes are over the limit of 8 bytes: store less under one key",
    });
  });

  it("are shown cut and escaped", () => {
    const { message } = failure(() => requireKey(bytesOf(`\n${"x".repeat(2000)}`)));
    expect(message).toBe(
      `key: "\\u{a}${"x".repeat(47)}…" (2001 bytes) is longer than 1024 bytes: shorten it`,
    );
  });
});

describe("durations", () => {
  it("are read in milliseconds, rounded down", () => {
    expect(requireDurationMs(seconds(1n, 999_999), "ttl")).toBe(1000);
    expect(requireDurationMs(seconds(0n, 1_500_000), "ttl")).toBe(1);
  });

  it.each([
    ["negative", seconds(-1n)],
    ["negative by nanoseconds", seconds(0n, -1)],
    ["of two signs", seconds(1n, -1)],
    ["with too many nanoseconds", seconds(1n, 1_000_000_000)],
    ["beyond what protobuf allows", seconds(2n ** 62n)],
  ])("%s are refused", (_what, duration) => {
    expect(failure(() => requireDurationMs(duration, "ttl"))).toMatchObject({
      code: "INVALID_ARGUMENT",
      metadata: { field: "ttl" },
    });
  });

  it("as TTL are from a second to ten years", () => {
    expect(requireExpiry(undefined, 5)).toBe(0);
    expect(requireExpiry(seconds(1n), 5)).toBe(1005);
    expect(requireExpiry(seconds(BigInt(TTL_MS_MAX / 1000)), 5)).toBe(TTL_MS_MAX + 5);
    expect(failure(() => requireExpiry(seconds(0n, 999_000_000), 5)).message).toContain(
      "999 ms is under 1000 ms",
    );
    expect(failure(() => requireExpiry(seconds(0n), 5)).code).toBe("INVALID_ARGUMENT");
    expect(failure(() => requireExpiry(seconds(BigInt(TTL_MS_MAX / 1000) + 1n), 5)).message).toContain(
      "ten years",
    );
  });
});

describe("conditions", () => {
  const version = { timestamp: 77, origin: "00000000000000aa" as ReplicaId };

  it("are read", () => {
    const ifVersion = create(ConditionSchema, { kind: { case: "ifVersion", value: formatVersion(version) } });
    expect(requireCondition(undefined)).toBeUndefined();
    expect(requireCondition(ifVersion)).toEqual({ kind: "version", version });
    expect(requireCondition(create(ConditionSchema, { kind: { case: "ifAbsent", value: true } }))).toEqual({
      kind: "absent",
    });
    expect(requireCondition(create(ConditionSchema, { kind: { case: "ifPresent", value: true } }))).toEqual({
      kind: "present",
    });
  });

  it.each([
    ["empty", create(ConditionSchema), "condition"],
    ["unknown", fromBinary(ConditionSchema, Uint8Array.of(0x78, 1)), "condition"],
    [
      "false absent",
      create(ConditionSchema, { kind: { case: "ifAbsent", value: false } }),
      "condition.if_absent",
    ],
    [
      "false present",
      create(ConditionSchema, { kind: { case: "ifPresent", value: false } }),
      "condition.if_present",
    ],
    [
      "empty version",
      create(ConditionSchema, { kind: { case: "ifVersion", value: "" } }),
      "condition.if_version",
    ],
    [
      "wrong version",
      create(ConditionSchema, { kind: { case: "ifVersion", value: "7" } }),
      "condition.if_version",
    ],
  ])("that say nothing are refused: %s", (_what, condition, field) => {
    const received = fromBinary(ConditionSchema, toBinary(ConditionSchema, condition));
    expect(failure(() => requireCondition(received))).toMatchObject({
      code: "INVALID_ARGUMENT",
      metadata: { field },
    });
  });
});

describe("concerns", () => {
  it.each([
    ["unspecified", 0, LOCAL],
    ["relaxed", 1, { kind: "relaxed" }],
    ["local", 2, LOCAL],
    ["all", 3, { kind: "all" }],
  ] as const)("level %s", (_what, value, expected) => {
    const concern = create(WriteConcernSchema, { kind: { case: "level", value } });
    expect(requireConcern(concern, LOCAL).concern).toEqual(expected);
  });

  it("are the server's where the request says none", () => {
    expect(requireConcern(undefined, { kind: "all" })).toEqual({
      concern: { kind: "all" },
      timeoutMs: undefined,
    });
    expect(requireConcern(create(WriteConcernSchema), { kind: "all" }).concern).toEqual({ kind: "all" });
  });

  it("count replicas from 1", () => {
    const replicas = (value: number): ReturnType<typeof create<typeof WriteConcernSchema>> =>
      create(WriteConcernSchema, { kind: { case: "replicas", value } });
    expect(requireConcern(replicas(3), LOCAL).concern).toEqual({ kind: "replicas", count: 3 });
    expect(failure(() => requireConcern(replicas(0), LOCAL)).metadata).toEqual({ field: "concern.replicas" });
  });

  it("of levels to come are refused", () => {
    const level = fromBinary(WriteConcernSchema, Uint8Array.of(0x08, 9));
    expect(failure(() => requireConcern(level, LOCAL)).message).toContain("9 is no level");
  });

  it("have a timeout that may be nothing, but not less", () => {
    const timeout = (duration: ReturnType<typeof seconds>): unknown =>
      requireConcern(create(WriteConcernSchema, { timeout: duration }), LOCAL).timeoutMs;
    expect(timeout(seconds(0n))).toBe(0);
    expect(timeout(seconds(2n))).toBe(2000);
    expect(failure(() => timeout(seconds(-2n))).metadata).toEqual({ field: "concern.timeout" });
  });
});

describe("the rest", () => {
  it("ranges: bounds may reach just behind the longest key, and must not be crossed", () => {
    const range = (start: Uint8Array, end: Uint8Array): unknown => requireRange({ prefix: NONE, start, end });
    expect(range(NONE, NONE)).toEqual({ start: undefined, end: undefined });
    expect(range(bytesOf("a"), bytesOf("a"))).toEqual({ start: "a", end: "a" });
    expect(range(new Uint8Array(1025), NONE)).toMatchObject({ end: undefined });
    expect(failure(() => range(new Uint8Array(1026), NONE)).code).toBe("TOO_LARGE");
    expect(failure(() => range(bytesOf("b"), bytesOf("a"))).message).toContain('"b" comes after end, "a"');
    expect(requireRange({ prefix: bytesOf("p"), start: bytesOf("a"), end: bytesOf("pz") })).toEqual({
      start: "p" as KeyText,
      end: "pz" as KeyText,
    });
  });

  it("page sizes are clamped", () => {
    expect([0, 1, 10_000, 10_001, 2 ** 32 - 1].map(pageSize)).toEqual([1000, 1, 10_000, 10_000, 10_000]);
  });

  it("replica ids are 16 hex digits", () => {
    expect(requireReplicaId("00000000000000aa")).toBe("00000000000000aa");
    expect(failure(() => requireReplicaId("AA")).message).toContain('"AA" is no replica id');
  });
});

describe("whatever is sent", () => {
  it("is taken, or refused with a code of the table and a field", () => {
    const attempt = (run: () => unknown): void => {
      let refusal: unknown;
      try {
        run();
      } catch (error) {
        refusal = error;
      }
      const isNamed = refusal instanceof MeshkvError && refusal.metadata["field"] !== undefined;
      expect(refusal === undefined || isNamed).toBe(true);
    };
    const anyDuration = fc
      .record({ seconds: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), nanos: fc.integer() })
      .map((fields) => create(DurationSchema, fields));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1100 }), fc.string(), anyDuration, (bytes, text, duration) => {
        attempt(() => requireKey(bytes));
        attempt(() => requireRange({ prefix: bytes, start: bytes, end: bytes }));
        attempt(() => requireExpiry(duration, 1));
        attempt(() => requireReplicaId(text));
        attempt(() =>
          requireCondition(create(ConditionSchema, { kind: { case: "ifVersion", value: text } })),
        );
      }),
    );
  });
});
