import {
  A,
  B,
  C,
  D,
  DRIFT_MS,
  hello,
  memberSet,
  MESH,
  NOW_MS,
  S1,
  S2,
  S3,
  S4,
  starts,
  vector,
  verdicts,
} from "../../test/hellos.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ReplicaId, type StartId, UNKNOWN_START } from "../ids.ts";
import { timestampFromMs } from "../timestamp.ts";

describe("any meeting of two ready replicas", () => {
  const timestamp = fc.nat({ max: 6 });
  const position = fc.record({
    timestamp,
    start: fc.constantFrom(UNKNOWN_START, S1, S2, S3, S4),
    recovered: timestamp,
  });
  const someMembers = fc
    .tuple(fc.subarray([A, B, C]), fc.subarray([A, B, C]))
    .map(([all, gone]) => memberSet(all, gone));
  const someHello = (id: ReplicaId) =>
    fc
      .record({
        members: someMembers,
        vector: fc
          .tuple(position, position, position, position, fc.boolean())
          .map(([a, b, c, d, isLastFirst]) =>
            vector({ [A]: a, [B]: b, ...(isLastFirst ? { [D]: d, [C]: c } : { [C]: c, [D]: d }) }),
          ),
        floors: fc.tuple(timestamp, timestamp).map(
          ([a, c]) =>
            new Map([
              [A, a],
              [C, c],
            ]),
        ),
        starts: fc
          .uniqueArray(fc.constantFrom(S1, S2, S3), { minLength: 1 })
          .map((all) => starts(...all.map((s, i) => [s, i * 2] as [StartId, number]))),
        invited: fc.boolean(),
        mesh: fc.constantFrom(MESH, { ...MESH, createdAt: 6 }, { ...MESH, founder: B }),
        clock: fc.constantFrom(timestampFromMs(NOW_MS), timestampFromMs(NOW_MS + 2 * DRIFT_MS)),
      })
      .map((changes) => hello(id, changes));

  it("is judged alike by both: they stream, or one of them moves, or both part", () => {
    fc.assert(
      fc.property(someHello(A), fc.constantFrom(A, B).chain(someHello), (a, b) => {
        const kinds = verdicts(a, b).map((said) => said.split(" ")[0]);
        const legal = ["stream stream", "self self", "refuse refuse", "refuse rejoin"];
        expect(legal).toContain(kinds.toSorted((x = "", y = "") => (x < y ? -1 : 1)).join(" "));
      }),
      { numRuns: 500 },
    );
  });
});
