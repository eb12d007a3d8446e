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
import { describe, expect, it } from "vitest";
import { UNKNOWN_START } from "../ids.ts";
import { type Position } from "../position.ts";
import { timestampFromMs } from "../timestamp.ts";
import type { Hello } from "./messages.ts";

describe("a meeting of two members", () => {
  it("streams", () => {
    expect(verdicts(hello(A), hello(B))).toEqual(["stream", "stream"]);
  });

  it("streams when one is only late", () => {
    const late = hello(B, { vector: vector({ [A]: { timestamp: 40, start: S1, recovered: 0 }, [B]: 100 }) });
    expect(verdicts(hello(A), late)).toEqual(["stream", "stream"]);
  });

  it("refuses wall clocks that are too far apart, on both sides", () => {
    const ahead = (ms: number) => hello(B, { wallMs: NOW_MS + ms, clock: timestampFromMs(NOW_MS + ms) });
    expect(verdicts(hello(A), ahead(DRIFT_MS))).toEqual(["stream", "stream"]);
    expect(verdicts(hello(A), ahead(DRIFT_MS + 1))).toEqual(["refuse CLOCK_SKEW", "refuse CLOCK_SKEW"]);
    expect(verdicts(hello(A), ahead(-DRIFT_MS - 1))).toEqual(["refuse CLOCK_SKEW", "refuse CLOCK_SKEW"]);
  });

  it("moves the one whose logical clock was led astray, once the wall clocks agree (C5)", () => {
    const astray = { clock: timestampFromMs(NOW_MS + DRIFT_MS + 1) };
    expect(verdicts(hello(A), hello(B, astray))).toEqual(["refuse CLOCK_SKEW", "rejoin CLOCK_SKEW"]);
    const stranger = hello(B, { ...astray, mesh: { ...MESH, createdAt: 6 } });
    expect(verdicts(hello(A), stranger)).toEqual(["refuse CLOCK_SKEW", "refuse CLOCK_SKEW"]);
  });

  it("lets replicas stream that were led astray together, and moves the one that is further ahead", () => {
    const astray = (ms: number) => ({ clock: timestampFromMs(NOW_MS + ms) });
    const far = 3_600_000;
    expect(verdicts(hello(A, astray(far)), hello(B, astray(far + DRIFT_MS)))).toEqual(["stream", "stream"]);
    expect(verdicts(hello(A, astray(far)), hello(B, astray(far + DRIFT_MS + 1)))).toEqual([
      "refuse CLOCK_SKEW",
      "rejoin CLOCK_SKEW",
    ]);
  });

  it("lets a joiner into a mesh whose logical clocks are astray", () => {
    const source = hello(B, { clock: timestampFromMs(NOW_MS + 3_600_000) });
    expect(verdicts(hello(C, { state: "joining", clock: 0 }), source)).toEqual(["join", "join"]);
  });

  it("moves the one that was removed, whoever of the two knows it", () => {
    const removed = { members: memberSet([A], [B]) };
    expect(verdicts(hello(A, removed), hello(B))).toEqual(["refuse REMOVED", "rejoin REMOVED"]);
    expect(verdicts(hello(A), hello(B, removed))).toEqual(["refuse REMOVED", "rejoin REMOVED"]);
  });

  it("keeps the side with more members when each has removed the other, then the smaller id", () => {
    const small = hello(A, { members: memberSet([A], [B]) });
    expect(verdicts(small, hello(B, { members: memberSet([B, C], [A]) }))).toEqual([
      "rejoin REMOVED",
      "refuse REMOVED",
    ]);
    expect(verdicts(small, hello(B, { members: memberSet([B], [A]) }))).toEqual([
      "refuse REMOVED",
      "rejoin REMOVED",
    ]);
  });

  it("moves the one that knows itself that it was removed, where each side has removed the other", () => {
    const knows = hello(A, { members: memberSet([C], [A, B]) });
    expect(verdicts(knows, hello(B, { members: memberSet([B], [A]) }))).toEqual([
      "rejoin REMOVED",
      "refuse REMOVED",
    ]);
  });

  it("does not make anybody rejoin through one that is itself rejoining", () => {
    const removed = { members: memberSet([A], [B]) };
    expect(verdicts(hello(A, { ...removed, state: "rejoining" }), hello(B))).toEqual([
      "refuse REMOVED",
      "refuse UNAVAILABLE",
    ]);
  });
});

describe("a replica that went back", () => {
  // It holds its own log up to 50 in start 2, which had recovered 20; peers may hold more.
  const own = {
    starts: starts([S1, 0], [S2, 20]),
    vector: vector({ [A]: { timestamp: 50, start: S2, recovered: 20 } }),
  };
  const holding = (position: Position) => hello(B, { vector: vector({ [A]: position, [B]: 100 }) });

  it.each([
    ["beyond what the last start has issued", { timestamp: 51, start: S2, recovered: 20 }],
    ["beyond what an earlier start had issued", { timestamp: 21, start: S1, recovered: 0 }],
    ["of a start that it does not know", { timestamp: 3, start: S4, recovered: 0 }],
    ["of an unknown start, beyond its last", { timestamp: 51, start: UNKNOWN_START, recovered: 0 }],
  ])("rejoins: a peer holds a position %s", (_which, position) => {
    expect(verdicts(hello(A, own), holding(position))).toEqual(["rejoin ROLLED_BACK", "refuse ROLLED_BACK"]);
  });

  it.each([
    ["at its last", { timestamp: 50, start: S2, recovered: 20 }],
    ["at the end of an earlier start", { timestamp: 20, start: S1, recovered: 0 }],
    ["of an unknown start", { timestamp: 50, start: UNKNOWN_START, recovered: 0 }],
  ])("streams: a peer holds a position %s", (_which, position) => {
    expect(verdicts(hello(A, own), holding(position))).toEqual(["stream", "stream"]);
  });

  it("rejoins where its name means another branch, although nobody holds that log", () => {
    const naming = (position: Position) =>
      hello(B, { members: memberSet([A, B]).naming([[A, position]]), vector: vector({ [B]: 100 }) });
    const [ours, theirs] = [
      { timestamp: 20, start: S1, recovered: 0 },
      { timestamp: 21, start: S1, recovered: 0 },
    ];
    expect(verdicts(hello(A, own), naming(ours))).toEqual(["stream", "stream"]);
    expect(verdicts(hello(A, own), naming(theirs))).toEqual(["rejoin ROLLED_BACK", "refuse ROLLED_BACK"]);
  });

  it("moves the greater id when both went back", () => {
    const a = hello(A, {
      ...own,
      vector: vector({ [A]: { timestamp: 50, start: S2, recovered: 20 }, [B]: 999 }),
    });
    const b = hello(B, { vector: vector({ [A]: 999, [B]: { timestamp: 50, start: S2, recovered: 0 } }) });
    expect(verdicts(a, b)).toEqual(["refuse ROLLED_BACK", "rejoin ROLLED_BACK"]);
  });
});

describe("branches of one life", () => {
  it("knows itself by its start", () => {
    expect(verdicts(hello(A), hello(A))).toEqual(["self", "self"]);
  });

  it("keeps the later start of two live copies", () => {
    const later = hello(A, { starts: starts([S1, 0], [S3, 60]) });
    const earlier = hello(A, { starts: starts([S1, 0], [S4, 59]) });
    expect(verdicts(later, earlier)).toEqual(["refuse DUPLICATE_REPLICA", "rejoin DUPLICATE_REPLICA"]);
  });

  it("moves exactly one of two copies that began at one position", () => {
    const all = [hello(A, { starts: starts([S3, 60]) }), hello(A, { starts: starts([S4, 60]) })] as const;
    expect(verdicts(...all).toSorted()).toEqual(["refuse DUPLICATE_REPLICA", "rejoin DUPLICATE_REPLICA"]);
  });

  it("moves the holder of the earlier branch of a third replica", () => {
    const later = hello(A, {
      vector: vector({ [A]: 100, [C]: { timestamp: 90, start: S4, recovered: 80 } }),
    });
    const earlier = hello(B, {
      vector: vector({ [B]: 100, [C]: { timestamp: 95, start: S3, recovered: 70 } }),
    });
    expect(verdicts(later, earlier)).toEqual(["refuse DUPLICATE_REPLICA", "rejoin DUPLICATE_REPLICA"]);
  });

  it.each(["later", "earlier"] as const)(
    "moves exactly one where each holds the earlier branch of another replica, and one knows the %s by its name alone",
    (known) => {
      const branches = {
        later: { timestamp: 90, start: S4, recovered: 80 },
        earlier: { timestamp: 95, start: S3, recovered: 70 },
      };
      const other = known === "later" ? "earlier" : "later";
      const one = hello(A, {
        members: memberSet([A, B]).naming([[C, branches[known]]]),
        vector: vector({ [A]: 100, [D]: branches[other] }),
      });
      const two = hello(B, {
        vector: vector({ [B]: 100, [C]: branches[other], [D]: branches[known] }),
      });
      expect(verdicts(one, two).toSorted()).toEqual(["refuse DUPLICATE_REPLICA", "rejoin DUPLICATE_REPLICA"]);
    },
  );
});

describe("names of origins whose writes were adopted", () => {
  const adopter = (id: typeof A, position: Position) =>
    hello(id, { members: memberSet([A, B]).naming([[C, position]]), vector: vector({ [id]: 100 }) });

  it("let two stream that mean one branch", () => {
    const [near, far] = [30, 90].map((timestamp) => ({ timestamp, start: S3, recovered: 20 }));
    if (near === undefined || far === undefined) return;
    expect(verdicts(adopter(A, near), adopter(B, far))).toEqual(["stream", "stream"]);
  });

  it("move the one who means the earlier of two branches", () => {
    const [earlier, later] = [
      { timestamp: 90, start: S3, recovered: 20 },
      { timestamp: 50, start: S4, recovered: 30 },
    ];
    expect(verdicts(adopter(A, earlier), adopter(B, later))).toEqual([
      "rejoin DUPLICATE_REPLICA",
      "refuse DUPLICATE_REPLICA",
    ]);
  });

  it("are held against the logs of others", () => {
    const follower = hello(B, {
      vector: vector({ [B]: 100, [C]: { timestamp: 50, start: S4, recovered: 30 } }),
    });
    expect(verdicts(adopter(A, { timestamp: 90, start: S3, recovered: 20 }), follower)).toEqual([
      "rejoin DUPLICATE_REPLICA",
      "refuse DUPLICATE_REPLICA",
    ]);
  });
});

describe("a replica that is behind", () => {
  const cut = { floors: new Map([[C, 80]]), vector: vector({ [A]: 100, [C]: 90 }) };

  it("rejoins when the peer's log of any origin is cut above its position", () => {
    const behind = hello(B, { vector: vector({ [A]: 50, [B]: 100, [C]: 79 }) });
    expect(verdicts(hello(A, cut), behind)).toEqual(["refuse BEHIND", "rejoin BEHIND"]);
    const level = hello(B, { vector: vector({ [A]: 50, [B]: 100, [C]: 80 }) });
    expect(verdicts(hello(A, cut), level)).toEqual(["stream", "stream"]);
  });

  it("lacks nothing of its own log", () => {
    const peer = hello(A, { floors: new Map([[B, 80]]), vector: vector({ [A]: 100, [B]: 80 }) });
    const own = hello(B, { vector: vector({ [B]: { timestamp: 80, start: S2, recovered: 0 } }) });
    expect(verdicts(peer, own)).toEqual(["stream", "stream"]);
  });

  it("is the greater id when each lacks what the other has cut", () => {
    const a = hello(A, { floors: new Map([[C, 80]]), vector: vector({ [A]: 100, [C]: 80 }) });
    const b = hello(B, { floors: new Map([[A, 40]]), vector: vector({ [B]: 100, [A]: 40 }) });
    const aLacks = {
      ...a,
      floors: new Map([
        [C, 80],
        [B, 0],
      ]),
    } as Hello;
    expect(verdicts(aLacks, b)).toEqual(["refuse BEHIND", "rejoin BEHIND"]);
  });
});

describe("replicas of two meshes", () => {
  const young = (changes: Partial<Hello> = {}) =>
    hello(B, { mesh: { name: "default", createdAt: 6, founder: B }, ...changes });

  it("merge when one of them was invited: the younger mesh moves", () => {
    expect(verdicts(hello(A, { invited: true }), young())).toEqual([
      "refuse UNAVAILABLE",
      "rejoin WRONG_MESH",
    ]);
    expect(verdicts(hello(A), young({ invited: true }))).toEqual(["refuse UNAVAILABLE", "rejoin WRONG_MESH"]);
    const twin = hello(B, { mesh: { ...MESH, founder: B }, invited: true });
    expect(verdicts(hello(A), twin)).toEqual(["refuse UNAVAILABLE", "rejoin WRONG_MESH"]);
  });

  it("merge the other way round when the one of the older mesh was removed from it, and can let nobody in", () => {
    const removed = { members: memberSet([B], [A]) };
    expect(verdicts(hello(A, { ...removed, invited: true }), young())).toEqual([
      "rejoin REMOVED",
      "refuse UNAVAILABLE",
    ]);
    const both = young({ invited: true, members: memberSet([A], [B]) });
    expect(verdicts(hello(A, removed), both)).toEqual(["refuse UNAVAILABLE", "rejoin WRONG_MESH"]);
    expect(verdicts(hello(A, removed), young())).toEqual(["refuse WRONG_MESH", "refuse WRONG_MESH"]);
  });

  it("merge the other way round when the one of the older mesh was damaged, and has nobody else to rejoin through (W5)", () => {
    const damaged = { state: "rejoining", invited: true } as const;
    const peer = young({ members: memberSet([B]) });
    const lone = hello(A, { ...damaged, members: memberSet([A]) });
    expect(verdicts(lone, peer)).toEqual(["rejoin STORAGE_FAILED", "refuse UNAVAILABLE"]);
    const accompanied = hello(A, { ...damaged, members: memberSet([A, C]) });
    expect(verdicts(accompanied, peer)).toEqual(["refuse UNAVAILABLE", "refuse UNAVAILABLE"]);
    const both = young({ state: "rejoining", members: memberSet([B]) });
    expect(verdicts(lone, both)).toEqual(["refuse UNAVAILABLE", "refuse UNAVAILABLE"]);
  });

  it("part when nobody was, or when the names differ", () => {
    expect(verdicts(hello(A), young())).toEqual(["refuse WRONG_MESH", "refuse WRONG_MESH"]);
    const other = young({ mesh: { name: "other", createdAt: 6, founder: B }, invited: true });
    expect(verdicts(hello(A), other)).toEqual(["refuse WRONG_MESH", "refuse WRONG_MESH"]);
  });
});

describe("a joiner", () => {
  const joining = (changes: Partial<Hello> = {}) =>
    hello(B, {
      state: "joining",
      mesh: { name: "", createdAt: 9, founder: B },
      members: memberSet([]),
      ...changes,
    });

  it("joins a ready replica, whatever its mesh, and no other", () => {
    expect(verdicts(hello(A), joining())).toEqual(["join", "join"]);
    expect(verdicts(hello(A, { state: "rejoining" }), joining())).toEqual([
      "refuse UNAVAILABLE",
      "refuse UNAVAILABLE",
    ]);
    const other = { ...joining(), replicaId: A, starts: starts([S1, 0]) };
    expect(verdicts(other, joining())).toEqual(["refuse UNAVAILABLE", "refuse UNAVAILABLE"]);
  });

  it("is not let in by a replica that was removed itself", () => {
    const removed = hello(A, { members: memberSet([C], [A]) });
    expect(verdicts(removed, joining())).toEqual(["refuse REMOVED", "refuse REMOVED"]);
  });

  it("that was dropped starts afresh", () => {
    const dropped = hello(A, { members: memberSet([A], [B]) });
    expect(verdicts(dropped, joining())).toEqual(["refuse REMOVED", "refuse REMOVED"]);
  });
});
