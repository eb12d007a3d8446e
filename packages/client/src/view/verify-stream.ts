/** A comparison of replicas: one stream of one replica; of another only while nothing has been told yet. */
import { create, Mesh, MeshkvError, type VerifyResponse, VerifyRequestSchema } from "@meshkv/protocol";
import { onceAborted } from "../call/abort.ts";
import { CallFailure, cancelled, unservedBy } from "../call/call-failure.ts";
import { shareOf } from "../call/patience.ts";
import type { Replica } from "../replicas/replica.ts";
import { type VerifyEvent, verifyEventOf, type VerifyOptions } from "../verification.ts";
import { Arrivals } from "./arrivals.ts";
import type { Scope } from "./scope.ts";

/** Responses read ahead of the reader. */
const AHEAD_MAX = 16;

/** Has some replica compare itself with others. Rejects with MeshkvError. */
export async function* verifyIn(
  { caller, timeoutMs }: Scope,
  { peer = "", signal }: VerifyOptions,
): AsyncGenerator<VerifyEvent, void, undefined> {
  const { replicas } = caller;
  const tried = new Set<Replica>();
  const problems: MeshkvError[] = [];
  const deadlineMs = Date.now() + timeoutMs;
  const throwIfAborted = (): void => {
    if (signal?.aborted === true) throw cancelled(signal);
  };
  const throwIfClosed = (): void => {
    if (replicas.isClosed) throw new MeshkvError("CANCELLED", "the client is closed");
  };
  /** Who is worth asking and has not been asked yet. */
  const untried = (): Replica | undefined => {
    const next = replicas.choose(false, tried);
    return next !== undefined && tried.has(next) ? undefined : next;
  };
  for (;;) {
    throwIfAborted();
    throwIfClosed();
    const replica = replicas.choose(false, tried);
    if (replica === undefined) {
      if (await replicas.find(deadlineMs, caller.retries, signal)) continue;
      throwIfAborted();
      throwIfClosed();
      throw replicas.unreachable();
    }
    tried.add(replica);
    const connectByMs = untried() === undefined ? deadlineMs : shareOf(deadlineMs);
    const problem = await replica.connect(connectByMs, signal);
    const { failure, hasBegun } =
      problem === undefined
        ? yield* follow(replica, peer, signal)
        : { failure: new CallFailure(problem, "unsent"), hasBegun: false };
    throwIfAborted();
    if (failure === undefined) return;
    throwIfClosed();
    problems.push(failure.error);
    if (hasBegun || failure.fate === "final") throw failure.error;
    const next = untried();
    if (next === undefined) throw unservedBy(problems);
    replicas.passOver(replica);
    caller.noteRetry(failure.error, next.address);
  }
}

interface Outcome {
  readonly failure: CallFailure | undefined;
  readonly hasBegun: boolean;
}

async function* follow(
  replica: Replica,
  peer: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<VerifyEvent, Outcome, undefined> {
  const arrivals = new Arrivals<VerifyResponse>();
  const stream = replica.channel.stream(Mesh.method.verify, create(VerifyRequestSchema, { peer }), {
    onReply: (response) => {
      replica.heard(performance.now());
      if (arrivals.add({ response }) >= AHEAD_MAX) stream.pause();
    },
    onEnd: (failure) => void arrivals.add({ failure }),
  });
  const leave = replica.hostWatch((failure) => void arrivals.add({ failure }));
  const onAbort = (): void => void arrivals.add({ failure: undefined });
  const forget = onceAborted(signal, onAbort);
  let hasBegun = false;
  try {
    for (;;) {
      const arrival = await arrivals.next();
      if ("failure" in arrival) return { failure: arrival.failure, hasBegun };
      hasBegun = true;
      stream.resume();
      const event = verifyEventOf(arrival.response);
      if (event !== undefined) yield event;
    }
  } finally {
    forget();
    leave();
    stream.cancel();
  }
}
