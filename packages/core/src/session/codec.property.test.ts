import { readFileSync } from "node:fs";
import {
  damagedBytes,
  entries,
  isAccepted,
  keyTexts,
  memberSets,
  positions,
  replicaIds,
  startIds,
  timestamps,
  versionVectors,
  writeRecords,
} from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ERROR_CODES } from "../error-code.ts";
import type { ReplicaId } from "../ids.ts";
import { makeRecord, type WriteRecord } from "../record.ts";
import type { Timestamp } from "../timestamp.ts";
import { TIMESTAMP_MAX } from "../timestamp.ts";
import { decodeMessage, encodeMessage, ProtocolError } from "./codec.ts";
import { type LogStretch, type PeerMessage, PROTOCOL_MAX, PROTOCOL_MIN } from "./messages.ts";

type Kind = PeerMessage["kind"];
type MessagesByKind = { readonly [K in Kind]: fc.Arbitrary<Extract<PeerMessage, { kind: K }>> };

const optional = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(some, { nil: undefined });
const floors = fc.array(fc.tuple(replicaIds(), timestamps()), { maxLength: 4 }).map((all) => new Map(all));
const idSets = fc.array(replicaIds(), { maxLength: 4 }).map((all) => new Set<ReplicaId>(all));
const records = fc.array(writeRecords(), { maxLength: 4 });
const meshes = fc.record({
  name: fc.string({ unit: "binary", maxLength: 12 }),
  createdAt: timestamps(),
  founder: replicaIds(),
});
const starts = fc.array(fc.record({ id: startIds(), recovered: timestamps() }), {
  maxLength: 4,
});
const times = fc.nat({ max: TIMESTAMP_MAX });

/** A stretch as a sender makes it: one origin, ascending, above its start, at a batch's end, below its claim. */
const stretches: fc.Arbitrary<LogStretch> = fc
  .record({
    origin: replicaIds(),
    after: fc.nat({ max: 100 }),
    steps: fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), writeRecords()), { maxLength: 4 }),
    claim: positions(),
    more: fc.nat({ max: 50 }),
  })
  .map(({ origin, after, steps, claim, more }) => {
    let timestamp: Timestamp = after;
    const stretch: WriteRecord[] = steps.map(([step, record], index) => {
      timestamp += step;
      return makeRecord({
        ...record,
        origin,
        timestamp,
        moreFollows: index < steps.length - 1 && record.moreFollows,
      });
    });
    return { origin, after, records: stretch, claim: { ...claim, timestamp: timestamp + more } };
  });

const MESSAGES: MessagesByKind = {
  hello: fc.record({
    kind: fc.constant("hello"),
    protocolMin: fc.nat({ max: PROTOCOL_MAX }),
    protocolMax: fc.integer({ min: PROTOCOL_MIN, max: 1000 }),
    mesh: meshes,
    replicaId: replicaIds(),
    starts,
    state: fc.constantFrom("ready", "rejoining", "joining"),
    invited: fc.boolean(),
    address: fc.string(),
    wallMs: times,
    clock: timestamps(),
    members: memberSets(),
    vector: versionVectors(),
    horizon: timestamps(),
    floors,
  }),
  refuse: fc.record({
    kind: fc.constant("refuse"),
    code: fc.constantFrom(...ERROR_CODES),
    message: fc.string({ unit: "binary" }),
  }),
  want: fc.record({ kind: fc.constant("want"), origin: replicaIds(), after: optional(timestamps()) }),
  frame: fc.record({
    kind: fc.constant("frame"),
    wallMs: times,
    clock: timestamps(),
    members: optional(memberSets()),
    vector: versionVectors(),
    heard: fc.array(fc.record({ member: replicaIds(), vector: versionVectors(), removed: idSets }), {
      maxLength: 3,
    }),
    log: optional(stretches),
  }),
  join: fc.record({ kind: fc.constant("join"), abandoned: optional(replicaIds()) }),
  granted: fc.record({
    kind: fc.constant("granted"),
    mesh: meshes,
    members: memberSets(),
    observe: timestamps(),
    vector: versionVectors(),
    horizon: timestamps(),
    horizonMembers: idSets,
    floors,
  }),
  copy: fc.record({ kind: fc.constant("copy"), after: optional(keyTexts()) }),
  copied: fc.record({
    kind: fc.constant("copied"),
    entries: fc.array(entries(), { maxLength: 3 }),
    done: fc.boolean(),
  }),
  "copy-settled": fc.record({ kind: fc.constant("copy-settled"), after: optional(writeRecords()) }),
  "copied-settled": fc.record({
    kind: fc.constant("copied-settled"),
    conflicts: fc.array(fc.record({ record: writeRecords(), settledAtMs: times }), { maxLength: 3 }),
    done: fc.boolean(),
    vector: versionVectors(),
  }),
  offer: fc.record({
    kind: fc.constant("offer"),
    records,
    branches: versionVectors().map((vector) => new Map(vector.entries())),
    seen: optional(versionVectors()),
    end: optional(fc.record({ predecessor: replicaIds(), vector: versionVectors() })),
  }),
  adopted: fc.record({ kind: fc.constant("adopted"), through: timestamps() }),
  confirm: fc.record({ kind: fc.constant("confirm") }),
  confirmed: fc.record({ kind: fc.constant("confirmed") }),
};

const KINDS = Object.keys(MESSAGES) as Kind[];

/** What a comparison sees: vectors and member sets keep their content to themselves. */
function visible(value: unknown): unknown {
  if (value instanceof Uint8Array) return Array.from(value).join(" ");
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Set) return { ids: [...value].map(String).toSorted((a, b) => (a < b ? -1 : 1)) };
  if ("entries" in value && typeof value.entries === "function" && !Array.isArray(value)) {
    const all = [...(value.entries() as Iterable<[string, unknown]>)].map(
      ([id, item]) => [id, visible(item)] as const,
    );
    return { entries: all.toSorted(([a], [b]) => (a < b ? -1 : 1)) };
  }
  if (Array.isArray(value)) return value.map(visible);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, visible(item)]));
}

describe.each(KINDS)("message %s", (kind) => {
  const messages: fc.Arbitrary<PeerMessage> = MESSAGES[kind];
  const bytes = messages.map((message) => encodeMessage(message).slice());

  it("comes back as it was sent", () => {
    fc.assert(
      fc.property(messages, (message) => {
        const once = encodeMessage(message).slice();
        const decoded = decodeMessage(once);
        expect(visible(decoded)).toEqual(visible(message));
        expect(encodeMessage(decoded)).toEqual(once);
      }),
      { numRuns: 30 },
    );
  });

  it("is refused when anything is missing at its end, or left over", () => {
    fc.assert(
      fc.property(bytes, fc.nat({ max: 255 }), (whole, extra) => {
        const cuts = Array.from({ length: Math.min(whole.length, 40) }, (_, index) =>
          Math.floor((index * whole.length) / Math.min(whole.length, 40)),
        );
        for (const length of [...cuts, whole.length - 1]) {
          expect(isAccepted(() => decodeMessage(whole.subarray(0, length)))).toBe(false);
        }
        expect(isAccepted(() => decodeMessage(Uint8Array.of(...whole, extra)))).toBe(false);
      }),
      { numRuns: 12 },
    );
  });

  it("is taken or refused with a FormatError when it is damaged, and nothing else", () => {
    fc.assert(
      fc.property(damagedBytes(bytes), (damaged) => {
        expect([true, false]).toContain(isAccepted(() => decodeMessage(damaged)));
      }),
      { numRuns: 150 },
    );
  });
});

describe("a frame", () => {
  const frame = (log: LogStretch): PeerMessage => ({
    kind: "frame",
    wallMs: 1,
    clock: 1,
    members: undefined,
    vector: emptyVector(),
    heard: [],
    log,
  });
  const emptyVector = () => {
    const joined = decodeMessage(encodeMessage({ ...sample("frame"), log: undefined }));
    return joined.kind === "frame" ? joined.vector : (undefined as never);
  };
  const sample = <K extends Kind>(kind: K): Extract<PeerMessage, { kind: K }> => {
    const [message] = fc.sample(MESSAGES[kind], 1) as Extract<PeerMessage, { kind: K }>[];
    if (message === undefined) throw new Error("one was asked for");
    return message;
  };
  const isRefused = (log: LogStretch): boolean => !isAccepted(() => decodeMessage(encodeMessage(frame(log))));
  const stretchesWithRecords = stretches.filter(({ records: all }) => all.length > 0);

  it("is refused when its records are not above its start, not ascending, or of another origin", () => {
    fc.assert(
      fc.property(stretchesWithRecords, (log) => {
        const [first, ...rest] = log.records;
        if (first === undefined) return;
        expect(isRefused({ ...log, after: first.timestamp })).toBe(true);
        expect(isRefused({ ...log, records: [first, first, ...rest] })).toBe(true);
        const stranger = makeRecord({ ...first, origin: "ffffffffffffffff" as ReplicaId });
        expect(isRefused({ ...log, records: [stranger, ...rest] })).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it("is refused when it ends inside a batch, or claims less than it holds", () => {
    fc.assert(
      fc.property(stretchesWithRecords, (log) => {
        const last = log.records.at(-1);
        if (last === undefined) return;
        const open = [...log.records.slice(0, -1), makeRecord({ ...last, moreFollows: true })];
        expect(isRefused({ ...log, records: open })).toBe(true);
        expect(isRefused({ ...log, claim: { ...log.claim, timestamp: last.timestamp - 1 } })).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

describe("decodeMessage", () => {
  it("refuses kinds that it does not know", () => {
    for (let kind = KINDS.length; kind < 256; kind += 1) {
      expect(isAccepted(() => decodeMessage(Uint8Array.of(kind)))).toBe(false);
    }
  });

  it("reads of a greeting in another protocol nothing but its numbers", () => {
    for (const [oldest, newest] of [
      [0, PROTOCOL_MIN - 1],
      [PROTOCOL_MAX + 1, 100],
    ]) {
      const greeting = Uint8Array.of(0, oldest ?? 0, newest ?? 0, 0xff);
      expect(() => decodeMessage(greeting)).toThrow(ProtocolError);
      expect(() => decodeMessage(greeting)).toThrow(`protocols ${oldest} to ${newest}`);
    }
  });

  it("takes a refusal with a code that it does not know for an internal one", () => {
    const bytes = encodeMessage({ kind: "refuse", code: "REMOVED", message: "why" });
    const unknown = bytes.map((byte) => (byte === "R".charCodeAt(0) ? "X".charCodeAt(0) : byte));
    expect(decodeMessage(unknown)).toEqual({ kind: "refuse", code: "INTERNAL", message: "why" });
  });
});

describe("docs/PROTOCOL.md", () => {
  it("numbers the kinds as the code does", () => {
    const text = readFileSync(new URL("../../../../docs/PROTOCOL.md", import.meta.url), "utf8");
    const documented = [...text.matchAll(/^(\d+) ([a-z-]+) +=/gm)].map(
      ([, number, kind]) => `${number} ${kind}`,
    );
    const coded = KINDS.map((kind) => {
      const [message] = fc.sample<PeerMessage>(MESSAGES[kind], 1);
      return message === undefined ? "" : `${encodeMessage(message)[0]} ${kind}`;
    });
    expect(documented).toEqual(coded);
  });
});
