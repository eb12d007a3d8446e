/** What a view needs for its calls: who makes them, on behalf of which session, and where its keys begin. */
import { Buffer } from "node:buffer";
import {
  type DescMethodUnary,
  type MessageInitShape,
  MeshkvError,
  type MessageShape,
} from "@meshkv/protocol";
import { type CallOptions, waitsForOthers, type WriteOptions } from "../call-options.ts";
import type { CallKind, Caller } from "../call/caller.ts";
import { millisecondsOf } from "../duration.ts";
import { tell } from "../listener.ts";
import type { RecentWrites } from "../replicas/recent-writes.ts";
import type { Replica } from "../replicas/replica.ts";
import type { SessionState } from "./session-state.ts";

/** What all views of one client share, and what a session adds. */
export interface Scope {
  readonly caller: Caller;
  readonly timeoutMs: number;
  readonly recent: RecentWrites<Replica>;
  readonly nextRequestId: () => string;
  readonly session: SessionState | undefined;
}

/** Which keys a call is about, as far as that decides where it goes. */
export interface Target {
  readonly kind: CallKind;
  /** The one key; none for a range or several. */
  readonly key?: Uint8Array;
}

/** Makes a call where the scope has it made, and notes what it says about sessions and writes. */
export async function callIn<Method extends DescMethodUnary>(
  scope: Scope,
  method: Method,
  request: (sessionToken: string) => MessageInitShape<Method["input"]>,
  target: Target,
  options: CallOptions & Pick<WriteOptions, "concern">,
): Promise<MessageShape<Method["output"]>> {
  const { caller, session, recent } = scope;
  const { signal, timeout } = options;
  const timeoutMs = timeout === undefined ? scope.timeoutMs : millisecondsOf(timeout, "timeout");
  const { kind } = target;
  const key = target.key === undefined ? undefined : latin1(target.key);
  const token = session?.token ?? "";
  const preferred =
    session === undefined
      ? placeFor(recent, kind, key)
      : (session.replica ??= caller.replicas.choose(false, NONE));
  const plan = {
    kind,
    deadlineMs: Date.now() + timeoutMs,
    signal,
    preferred,
    hasSession: token !== "",
    mayTakeLong: waitsForOthers(options) || (kind !== "read" && key === undefined),
  };
  const { reply, replica } = await caller.call(method, request(token), plan).catch((error: unknown) => {
    // A write that is not on as many replicas as was asked for exists all the same: its session has seen it.
    if (error instanceof MeshkvError) session?.saw(error.metadata["session"] ?? "");
    throw error;
  });
  tell(options.onAnswer, replica.address);
  if (session !== undefined) {
    session.replica = replica;
    session.saw(sessionOf(reply));
  } else if (kind !== "read") {
    recent.note(key, replica, performance.now());
  }
  return reply;
}

const NONE: ReadonlySet<Replica> = new Set();

/** Reads of what was just written go where it was written, and so do the writes that follow, for lists to see them all. */
function placeFor(
  recent: RecentWrites<Replica>,
  kind: CallKind,
  key: string | undefined,
): Replica | undefined {
  const nowMs = performance.now();
  return recent.placeOf(key, nowMs) ?? (kind === "read" ? undefined : recent.placeOf(undefined, nowMs));
}

function sessionOf(reply: object): string {
  return "session" in reply && typeof reply.session === "string" ? reply.session : "";
}

/** One character per byte: a key for maps. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
