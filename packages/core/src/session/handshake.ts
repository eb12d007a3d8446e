/**
 * What two replicas that meet are to each other (rule M5). A pure function of the two hellos, so that both sides reach
 * the same verdict: they stream, or one of them rejoins the other, or they part with a named refusal.
 */
import type { ErrorCode } from "../error-code.ts";
import type { ReplicaId } from "../ids.ts";
import { UNKNOWN_START } from "../ids.ts";
import { isForked, type Position } from "../position.ts";
import { compareMeshes, type Start } from "../replica/state.ts";
import { timestampToMs } from "../timestamp.ts";
import { branchMeant } from "./branches.ts";
import type { Hello } from "./messages.ts";

/** What a meeting comes to, from one side. */
export type Verdict =
  | { readonly kind: "stream" }
  /** The peer is a new replica that asks to be added, or this side is. */
  | { readonly kind: "join" }
  /** It is this very process. */
  | { readonly kind: "self" }
  /** This side has to rejoin through the peer. */
  | { readonly kind: "rejoin"; readonly code: ErrorCode; readonly message: string }
  /** The link ends; with `retry` the peers may agree later. */
  | { readonly kind: "refuse"; readonly code: ErrorCode; readonly message: string };

/** Judges a meeting from the side of `mine`. */
export function judge(mine: Hello, theirs: Hello, driftMsMax: number): Verdict {
  if (mine.mesh.name !== theirs.mesh.name && mine.state !== "joining" && theirs.state !== "joining") {
    return refuse(
      "WRONG_MESH",
      `this is mesh "${mine.mesh.name}", the peer is of mesh "${theirs.mesh.name}"`,
    );
  }
  const skew = judgeClocks(mine, theirs, driftMsMax);
  if (skew !== undefined) return skew;
  if (mine.replicaId === theirs.replicaId) return judgeDuplicate(mine, theirs);
  if (mine.state === "joining" || theirs.state === "joining") return judgeJoin(mine, theirs);
  if (compareMeshes(mine.mesh, theirs.mesh) !== 0) return judgeMeshes(mine, theirs);
  const mover = whoMoves(mine, theirs);
  if (mover === undefined) return { kind: "stream" };
  return mover.replica === mine.replicaId
    ? rejoin(theirs, mover.code, mover.message)
    : refuse(mover.code, mover.message);
}

/** Rules C1 and C5: nothing is taken from a clock that runs too far ahead, and nothing is told to one that lags as much. */
function judgeClocks(mine: Hello, theirs: Hello, driftMsMax: number): Verdict | undefined {
  const apart = Math.abs(mine.wallMs - theirs.wallMs);
  if (apart > driftMsMax) return refuseSkew(apart, driftMsMax);
  const [astray, theirsAstray] = [mine, theirs].map((hello) => isAstray(hello, driftMsMax));
  if (astray !== true && theirsAstray !== true) {
    const ahead = Math.max(
      timestampToMs(theirs.clock) - mine.wallMs,
      timestampToMs(mine.clock) - theirs.wallMs,
    );
    return ahead > driftMsMax ? refuseSkew(ahead, driftMsMax) : undefined;
  }
  // A joiner takes the clock of the mesh that it asks to be let in.
  if (mine.state === "joining" || theirs.state === "joining") return undefined;
  const ahead = timestampToMs(mine.clock) - timestampToMs(theirs.clock);
  // A whole mesh whose wall clocks had been wrong: nobody is led further astray than it is.
  if (astray === theirsAstray && Math.abs(ahead) <= driftMsMax) return undefined;
  const mayMove = mine.invited || theirs.invited || compareMeshes(mine.mesh, theirs.mesh) === 0;
  if (!mayMove) return refuseSkew(Math.abs(ahead), driftMsMax);
  // The wall clocks agree, so it is the logical clock of one that was led astray earlier.
  const isMine = astray === theirsAstray ? ahead > 0 : astray === true;
  const message = "the logical clock of a replica is far ahead, since its wall clock was";
  return isMine ? rejoin(theirs, "CLOCK_SKEW", message) : refuse("CLOCK_SKEW", message);
}

/** Whether a replica's logical clock is ahead of its own wall clock by more than the drift. */
function isAstray({ clock, wallMs }: Hello, driftMsMax: number): boolean {
  return timestampToMs(clock) - wallMs > driftMsMax;
}

function refuseSkew(apartMs: number, driftMsMax: number): Verdict {
  const message = `the clocks of the two peers are ${apartMs} ms apart, more than ${driftMsMax} ms`;
  return refuse("CLOCK_SKEW", message);
}

function judgeDuplicate(mine: Hello, theirs: Hello): Verdict {
  const [ours, other] = [mine.starts.at(-1), theirs.starts.at(-1)];
  if (ours === undefined || other === undefined || ours.id === other.id) return { kind: "self" };
  // Of two live copies of one directory the later start stays.
  const later = ours.recovered - other.recovered || (ours.id < other.id ? -1 : 1);
  const message = `replica ${mine.replicaId} runs twice: its directory was copied`;
  return later > 0 ? refuse("DUPLICATE_REPLICA", message) : rejoin(theirs, "DUPLICATE_REPLICA", message);
}

function judgeJoin(mine: Hello, theirs: Hello): Verdict {
  const source = mine.state === "joining" ? theirs : mine;
  const joiner = source === mine ? theirs : mine;
  if (source.state !== "ready") return refuse("UNAVAILABLE", "the peer is itself joining; try again");
  if (isOut(source)) return refuse("REMOVED", "the peer itself was removed from its mesh");
  if (source.members.isRemoved(joiner.replicaId)) {
    return refuse("REMOVED", `joining replica ${joiner.replicaId} was dropped; it starts afresh`);
  }
  return { kind: "join" };
}

/** Rule M3: the younger mesh moves into the older, if an operator brought them together; and whoever is of no mesh any more. */
function judgeMeshes(mine: Hello, theirs: Hello): Verdict {
  if (!mine.invited && !theirs.invited) {
    return refuse("WRONG_MESH", `peers of two meshes named "${mine.mesh.name}" that nobody brought together`);
  }
  const [isMineOut, isTheirsOut] = [mine, theirs].map(isOut);
  if (isMineOut !== isTheirsOut) {
    const message = "who was removed from its own mesh moves, and lets nobody in there";
    return isMineOut === true ? rejoin(theirs, "REMOVED", message) : refuse("UNAVAILABLE", message);
  }
  const [isMineStranded, isTheirsStranded] = [mine, theirs].map(isStranded);
  if (isMineStranded !== isTheirsStranded) {
    const message = "who was damaged moves, and has nobody in its own mesh to rejoin through";
    return isMineStranded === true
      ? rejoin(theirs, "STORAGE_FAILED", message)
      : refuse("UNAVAILABLE", message);
  }
  const message = `the mesh that was founded first stays`;
  return compareMeshes(mine.mesh, theirs.mesh) > 0
    ? rejoin(theirs, "WRONG_MESH", message)
    : // Nothing is wrong: in a moment the other comes back as one of this mesh.
      refuse("UNAVAILABLE", message);
}

/** Whether a replica knows itself that it was removed. */
function isOut({ members, replicaId }: Hello): boolean {
  return members.isRemoved(replicaId);
}

/** Whether a replica can let nobody in before it has rejoined, and is alone in its mesh (rule W5). */
function isStranded({ state, members, replicaId }: Hello): boolean {
  return state === "rejoining" && members.has(replicaId) && members.current().length === 1;
}

/** Whether two replicas of one mesh both know themselves that they were removed. */
export function areBothOut(mine: Hello, theirs: Hello): boolean {
  return compareMeshes(mine.mesh, theirs.mesh) === 0 && isOut(mine) && isOut(theirs);
}

interface Mover {
  readonly replica: ReplicaId;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Which of two replicas of one mesh cannot go on as it is; symmetric in its arguments. */
function whoMoves(a: Hello, b: Hello): Mover | undefined {
  return whoIsRemoved(a, b) ?? whoWentBack(a, b) ?? whoseBranchLoses(a, b) ?? whoIsBehind(a, b);
}

function whoIsRemoved(a: Hello, b: Hello): Mover | undefined {
  const aOut = b.members.isRemoved(a.replicaId) || a.members.isRemoved(a.replicaId);
  const bOut = a.members.isRemoved(b.replicaId) || b.members.isRemoved(b.replicaId);
  if (!aOut && !bOut) return undefined;
  let out = aOut ? a : b;
  if (aOut && bOut) {
    // Each side has removed the other: the side with more members stays, then the smaller id; but who knows itself that
    // it was removed can let nobody in.
    const known = Number(isOut(b)) - Number(isOut(a));
    const difference = known || a.members.current().length - b.members.current().length;
    out = difference !== 0 ? (difference < 0 ? a : b) : a.replicaId < b.replicaId ? b : a;
  }
  return {
    replica: out.replicaId,
    code: "REMOVED",
    message: `replica ${out.replicaId} was removed from the mesh`,
  };
}

/** Whether a peer holds a position of one that it cannot have issued: its directory was restored or cloned. */
function whoWentBack(a: Hello, b: Hello): Mover | undefined {
  const aBack = wentBack(a, branchMeantBy(b, a.replicaId));
  const bBack = wentBack(b, branchMeantBy(a, b.replicaId));
  if (!aBack && !bBack) return undefined;
  const back = aBack && bBack ? (a.replicaId < b.replicaId ? b : a) : aBack ? a : b;
  const message = `replica ${back.replicaId} lacks writes of its own: its directory was restored or copied`;
  return { replica: back.replicaId, code: "ROLLED_BACK", message };
}

/** The branch that an origin's name means to the sender of a hello: its writes may have been adopted there beyond its log. */
function branchMeantBy({ vector, members }: Hello, origin: ReplicaId): Position {
  return branchMeant(origin, vector, members);
}

function wentBack(own: Hello, held: Position): boolean {
  if (held.timestamp === 0) return false;
  if (held.start === UNKNOWN_START) return held.timestamp > own.vector.get(own.replicaId);
  return held.timestamp > endOfStart(own.starts, held, own.vector.get(own.replicaId));
}

/** The last own timestamp of the start in which the position lies; -1 when the start is not known. */
function endOfStart(starts: readonly Start[], held: Position, current: number): number {
  const index = starts.findIndex((start) => start.id === held.start);
  if (index < 0) return -1;
  return starts[index + 1]?.recovered ?? current;
}

/** Rule M5, third parties: two branches of one origin's life; the holder of the later start stays. */
function whoseBranchLoses(a: Hello, b: Hello): Mover | undefined {
  const origins = [...a.vector.branches()].map(([origin]) => origin);
  for (const origin of [...new Set([...origins, ...a.members.branches.keys()])].sort()) {
    const [mine, theirs] = [branchMeantBy(a, origin), branchMeantBy(b, origin)];
    if (origin === a.replicaId || origin === b.replicaId || !isForked(mine, theirs)) continue;
    const later = mine.recovered - theirs.recovered || (mine.start < theirs.start ? -1 : 1);
    const loser = later > 0 ? b : a;
    const message = `replica ${origin} lived on two branches; ${loser.replicaId} holds the earlier`;
    return { replica: loser.replicaId, code: "DUPLICATE_REPLICA", message };
  }
  return undefined;
}

/** Rule F3: one who lacks what the other has cut out of its logs cannot be served from logs. */
function whoIsBehind(a: Hello, b: Hello): Mover | undefined {
  const aBehind = lacksCut(a, b);
  const bBehind = lacksCut(b, a);
  if (!aBehind && !bBehind) return undefined;
  const behind = aBehind && bBehind ? (a.replicaId < b.replicaId ? b : a) : aBehind ? a : b;
  const message = `replica ${behind.replicaId} lacks writes that its peers have forgotten`;
  return { replica: behind.replicaId, code: "BEHIND", message };
}

function lacksCut(replica: Hello, peer: Hello): boolean {
  for (const [origin, floor] of peer.floors) {
    if (origin !== replica.replicaId && replica.vector.get(origin) < floor) return true;
  }
  return false;
}

function rejoin(theirs: Hello, code: ErrorCode, message: string): Verdict {
  return theirs.state === "ready" ? { kind: "rejoin", code, message } : refuse("UNAVAILABLE", message);
}

function refuse(code: ErrorCode, message: string): Verdict {
  return { kind: "refuse", code, message };
}
