import {
  damagedBytes,
  isAccepted,
  memberSets,
  replicaIds,
  startIds,
  timestamps,
  versionVectors,
  withByteChanged,
} from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormatError } from "../bytes.ts";
import type { StateSection } from "../change-set.ts";
import { Digest, DIGEST_BUCKETS } from "../digest.ts";
import type { ReplicaId } from "../ids.ts";
import { MemberSet } from "../member-set.ts";
import {
  compareMeshes,
  decodeState,
  emptyProgress,
  encodeIdentity,
  encodeMembers,
  encodeProgress,
  foundingState,
  type Identity,
  type Progress,
  type ReplicaState,
} from "./state.ts";

const meshes = fc.record({
  name: fc.string({ unit: "binary", maxLength: 12 }),
  createdAt: timestamps(),
  founder: replicaIds(),
});

const identities: fc.Arbitrary<Identity> = fc.record({
  replicaId: replicaIds(),
  mesh: meshes,
  damaged: fc.boolean(),
  starts: fc.array(fc.record({ id: startIds(), recovered: timestamps() }), {
    maxLength: 5,
  }),
});

const digests = fc
  .nat({ max: 0xffff_ffff })
  .map(
    (seed) => new Digest(Uint32Array.from({ length: DIGEST_BUCKETS * 4 }, (_, lane) => seed * (lane + 1))),
  );

const progresses: fc.Arbitrary<Progress> = fc.record({
  clockMark: timestamps(),
  keys: fc.maxSafeNat(),
  logBytes: fc.maxSafeNat(),
  horizon: timestamps(),
  horizonMembers: fc.array(replicaIds(), { maxLength: 5 }).map((all) => new Set<ReplicaId>(all)),
  vector: versionVectors(),
  floors: fc.array(fc.tuple(replicaIds(), timestamps()), { maxLength: 5 }).map((all) => new Map(all)),
  digest: digests,
});

const states: fc.Arbitrary<ReplicaState> = fc.record({
  identity: identities,
  progress: progresses,
  members: memberSets(),
});

function encodeState({ identity, progress, members }: ReplicaState): Map<StateSection, Uint8Array> {
  return new Map<StateSection, Uint8Array>([
    ["identity", encodeIdentity(identity).slice()],
    ["progress", encodeProgress(progress).slice()],
    ["members", encodeMembers(members).slice()],
  ]);
}

function shown(sections: ReadonlyMap<StateSection, Uint8Array>): string {
  return [...sections].map(([name, bytes]) => `${name} ${Buffer.from(bytes).toString("hex")}`).join("\n");
}

const sectionNames = fc.constantFrom<StateSection>("identity", "progress", "members");

describe("the state of a replica", () => {
  it("comes back as it was stored, and has one encoding", () => {
    fc.assert(
      fc.property(states, (state) => {
        const sections = encodeState(state);
        const { identity, progress, members } = decodeState(sections);
        expect(identity).toEqual(state.identity);
        expect(members.equals(state.members)).toBe(true);
        const { vector, digest, ...rest } = progress;
        const { vector: storedVector, digest: storedDigest, ...storedRest } = state.progress;
        expect(rest).toEqual(storedRest);
        expect(new Map(vector.entries())).toEqual(new Map(storedVector.entries()));
        expect(Buffer.compare(digest.encode(), storedDigest.encode())).toBe(0);
        expect(shown(encodeState({ identity, progress, members }))).toBe(shown(sections));
      }),
      { numRuns: 60 },
    );
  });

  it("is refused when a section is missing, cut or too long", () => {
    fc.assert(
      fc.property(states, sectionNames, fc.double({ min: 0, max: 1, noNaN: true }), (state, name, part) => {
        const sections = encodeState(state);
        const whole = sections.get(name) ?? new Uint8Array();
        const cut = whole.subarray(0, Math.floor(part * (whole.length - 1)));
        expect(isAccepted(() => decodeState(new Map(sections).set(name, cut)))).toBe(false);
        expect(isAccepted(() => decodeState(new Map(sections).set(name, Uint8Array.of(...whole, 0))))).toBe(
          false,
        );
        const without = new Map(sections);
        without.delete(name);
        expect(() => decodeState(without)).toThrow(new FormatError(`state section ${name} is missing`));
      }),
      { numRuns: 60 },
    );
  });

  it("is refused when its format is not known", () => {
    const sections = encodeState(foundingState("00000000000000aa" as ReplicaId, "default", 5, "a:1"));
    for (const [name, bytes] of sections) {
      const changed = new Map(sections).set(name, withByteChanged(bytes, 0, 8));
      const format = name === "members" ? 10 : 9;
      expect(() => decodeState(changed)).toThrow(`state section ${name} has unknown format ${format}`);
    }
  });

  it("is read from members of storage format 1, which end before the branches", () => {
    fc.assert(
      fc.property(states, (state) => {
        const members = new MemberSet(state.members.entries());
        const sections = encodeState({ ...state, members });
        const bytes = sections.get("members") ?? new Uint8Array();
        const old = bytes.slice(0, -1);
        old[0] = 1;
        expect(decodeState(new Map(sections).set("members", old)).members.equals(members)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it("is taken or refused with a FormatError when it is damaged, and nothing else", () => {
    fc.assert(
      fc.property(states, sectionNames, fc.infiniteStream(fc.nat({ max: 255 })), (state, name, noise) => {
        const sections = encodeState(state);
        const whole = fc.constant(sections.get(name) ?? new Uint8Array());
        const [damaged] = fc.sample(damagedBytes(whole), { numRuns: 1, seed: noise.next().value ?? 0 });
        const changed = new Map(sections).set(name, damaged ?? new Uint8Array());
        expect([true, false]).toContain(isAccepted(() => decodeState(changed)));
      }),
      { numRuns: 200 },
    );
  });
});

describe("a founding state", () => {
  it("is a mesh of one that has seen nothing", () => {
    const id = "00000000000000aa" as ReplicaId;
    const { identity, progress, members } = foundingState(id, "default", 5, "a:1");
    expect(identity).toEqual({
      replicaId: id,
      mesh: { name: "default", createdAt: 5, founder: id },
      damaged: false,
      starts: [],
    });
    expect(members.current()).toEqual([id]);
    expect(members.get(id)).toMatchObject({ address: "a:1", addressTimestamp: 5 });
    expect(encodeProgress(progress)).toEqual(encodeProgress(emptyProgress(5)));
  });
});

describe("compareMeshes", () => {
  it("puts the mesh that was founded first before the other, in one total order", () => {
    fc.assert(
      fc.property(meshes, meshes, meshes, (a, b, c) => {
        expect(Math.sign(compareMeshes(a, b))).toBe(-Math.sign(compareMeshes(b, a)) + 0);
        expect(compareMeshes(a, b) === 0).toBe(a.createdAt === b.createdAt && a.founder === b.founder);
        const isBefore = compareMeshes(a, b) < 0 && compareMeshes(b, c) < 0;
        expect(isBefore ? compareMeshes(a, c) : -1).toBeLessThan(0);
      }),
    );
    const older = { name: "x", createdAt: 1, founder: "00000000000000ff" as ReplicaId };
    expect(compareMeshes(older, { ...older, createdAt: 2 })).toBeLessThan(0);
    expect(compareMeshes(older, { ...older, founder: "00000000000000fe" as ReplicaId })).toBeGreaterThan(0);
  });
});
