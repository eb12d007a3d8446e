/**
 * One call, on as many replicas as it takes and may take.
 *
 * A read may be made anywhere, again and again. An unconditional write may too: it carries an id, by which a replica knows it
 * again, and written twice it is still what was asked for. A conditional write that may have been done is only ever
 * repeated on the same replica, where its id finds the first outcome; elsewhere its condition would be another question.
 */
import {
  create,
  type DescMethod,
  type DescMethodUnary,
  type DeleteRequest,
  type GetRequest,
  KeyValue,
  type MessageInitShape,
  MeshkvError,
  type MessageShape,
  type SetRequest,
} from "@meshkv/protocol";
import type { Replica } from "../replicas/replica.ts";
import type { ReplicaSet } from "../replicas/replica-set.ts";
import { onceAborted } from "./abort.ts";
import { CallFailure, cancelled, unservedBy, withDoubt } from "./call-failure.ts";
import type { RunningCall } from "./channel.ts";
import { Deadlines } from "./deadlines.ts";
import { Patience, shareOf } from "./patience.ts";
import type { OperationKind } from "./pipeline.ts";
import { RetryBudget } from "./retry-budget.ts";

/** What may be done about a call that failed. */
export type CallKind = "read" | "write" | "conditional";

/** How one call is to be made. */
export interface CallPlan {
  readonly kind: CallKind;
  /** When to give up, as `Date.now()`. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Asked first, while it is well. */
  readonly preferred?: Replica | undefined;
  /** Whether the call carries a session: another replica may have to wait for it, so nobody is waited for too long. */
  readonly hasSession?: boolean;
  /** Whether it waits for other replicas or is about many keys, so that only its caller can tell how long is too long. */
  readonly mayTakeLong?: boolean;
}

/** A reply, and who gave it. */
export interface Answer<Reply> {
  readonly reply: Reply;
  readonly replica: Replica;
}

/** How a client makes calls. */
export interface CallerOptions {
  /** Whether calls in great number share a stream. */
  readonly pipelining: boolean;
  /** Whether to go on while there is time; otherwise each replica is asked at most once. */
  readonly retries: boolean;
  /** Told why a call goes on at another replica, and at which address. */
  readonly onRetry: (error: MeshkvError, address: string) => void;
}

/** With fewer calls under way on a replica, a stream has nothing to gather. */
const PIPELINE_FROM = 8;
/** A greater value would hold up what comes behind it. */
const PIPELINED_BYTES_MAX = 64 * 1024;
/** How long one replica may be waited for to have what a session has seen, while there are others. */
const SESSION_ATTEMPT_MS = 1500;

/** Makes the calls of one client. */
export class Caller {
  readonly replicas: ReplicaSet;
  readonly #options: CallerOptions;
  readonly #deadlines = new Deadlines();
  readonly #budget = new RetryBudget(performance.now());

  constructor(replicas: ReplicaSet, options: CallerOptions) {
    this.replicas = replicas;
    this.#options = options;
  }

  get retries(): boolean {
    return this.#options.retries;
  }

  /** A call that is not made here goes on at another replica. */
  noteRetry(error: MeshkvError, address: string): void {
    this.#options.onRetry(error, address);
  }

  /** Makes a call; rejects with MeshkvError. */
  async call<Method extends DescMethodUnary>(
    method: Method,
    request: MessageInitShape<Method["input"]>,
    plan: CallPlan,
  ): Promise<Answer<MessageShape<Method["output"]>>> {
    const message = create<Method["input"]>(method.input, request);
    this.#budget.earn();
    const tried = new Set<Replica>();
    const patience = new Patience(Date.now(), plan.deadlineMs);
    // Some attempt broke off: the write may have been done, whatever the later ones say.
    let inDoubt = false;
    let refusal: MeshkvError | undefined;
    let bound: Replica | undefined;
    let problems: MeshkvError[] = [];
    for (let round = 0; ; ) {
      const replica = bound ?? this.#choose(plan, tried);
      this.#throwIfOver(plan);
      if (replica === undefined) {
        // A name that stood for nobody when the client was made may stand for somebody now.
        const isPatient = this.#options.retries;
        if (await this.replicas.find(plan.deadlineMs, isPatient, plan.signal)) continue;
        this.#throwIfOver(plan);
        const error = this.replicas.unreachable();
        throw inDoubt && plan.kind !== "read" ? withDoubt(error, refusal) : error;
      }
      tried.add(replica);
      const failure = await this.#attempt(method, message, replica, plan, tried);
      if (!(failure instanceof CallFailure)) return { reply: failure, replica };
      if (this.replicas.isClosed) throw new MeshkvError("CANCELLED", "the client is closed");
      if (failure.fate === "unknown") {
        inDoubt = true;
        if (plan.kind === "conditional") bound = replica;
      }
      this.#noteRefusal(failure, replica, plan);
      problems.push(failure.error);
      const verdict = this.#verdictOn(failure, plan, inDoubt, refusal, problems);
      if (failure.fate === "refused") refusal = failure.error;
      const next = bound ?? this.#choose(plan, tried);
      // Not only when all have been tried: while one is well, those that are sick are not asked.
      const isRound = next === undefined || tried.has(next);
      const latencyMs = next?.latency.estimateMs ?? 0;
      const pauseMs = patience.pauseMs(isRound ? round : undefined, latencyMs, Date.now());
      if (pauseMs === undefined || !this.#mayRetry(failure, plan, isRound, replica)) throw verdict;
      if (next !== undefined && next !== replica) {
        this.replicas.passOver(replica);
        this.#options.onRetry(failure.error, next.address);
      }
      if (!isRound) continue;
      tried.clear();
      problems = [];
      // Or until some replica is well again.
      await this.replicas.changed(pauseMs, plan.signal);
      round += 1;
      // A member that was removed does not come back under its id: nobody will ever tell what became of the write.
      if (bound?.isRetired === true || patience.isTooLate(latencyMs, Date.now())) throw verdict;
    }
  }

  /** Throws CANCELLED when the caller gave up or the client was closed. */
  #throwIfOver({ signal }: CallPlan): void {
    if (signal?.aborted === true) throw cancelled(signal);
    if (this.replicas.isClosed) throw new MeshkvError("CANCELLED", "the client is closed");
  }

  /** The replica for the next attempt, sessions' and recent writes' own first. */
  #choose({ preferred, kind }: CallPlan, tried: ReadonlySet<Replica>): Replica | undefined {
    const isWrite = kind !== "read";
    if (preferred !== undefined && !preferred.isRetired && !tried.has(preferred)) {
      const mayServe = !isWrite || preferred.takesWrites(performance.now());
      if (preferred.health === "well" && mayServe) return preferred;
    }
    return this.replicas.choose(isWrite, tried);
  }

  /** Whether somebody is worth asking who has not been asked yet. */
  #hasNext(plan: CallPlan, tried: ReadonlySet<Replica>): boolean {
    const next = this.#choose(plan, tried);
    return next !== undefined && !tried.has(next);
  }

  /** A reply, or why there is none; `tried` has this replica, too. Rejects only when the caller gave up. */
  async #attempt<Method extends DescMethodUnary>(
    method: Method,
    message: MessageShape<Method["input"]>,
    replica: Replica,
    plan: CallPlan,
    tried: ReadonlySet<Replica>,
  ): Promise<MessageShape<Method["output"]> | CallFailure> {
    const hasNext = this.#hasNext(plan, tried);
    if (!replica.channel.isReady) {
      const connectByMs = hasNext ? shareOf(plan.deadlineMs) : plan.deadlineMs;
      const problem = await replica.connect(connectByMs, plan.signal);
      if (plan.signal?.aborted === true) throw cancelled(plan.signal);
      if (problem !== undefined) return new CallFailure(problem, "unsent");
    }
    const isShort = this.#isShort(plan);
    const deadlineMs = this.#attemptDeadline(plan, isShort, hasNext);
    const startedAtMs = performance.now();
    try {
      const call = this.#start(method, message, replica, deadlineMs, tried.size === 1);
      const hosted = replica.host(call, this.#mayLeave(plan, hasNext));
      const reply = await withSignal(hosted, call, plan.signal);
      const endedAtMs = performance.now();
      replica.served(endedAtMs);
      // Writes wait for disks and other replicas, and sessions for what is on its way: that is not how near a replica is.
      if (plan.kind === "read" && !isShort) replica.latency.observe(endedAtMs - startedAtMs, endedAtMs);
      return reply;
    } catch (failure) {
      if (!(failure instanceof CallFailure)) throw failure;
      return this.#explained(failure, replica, deadlineMs < plan.deadlineMs);
    }
  }

  /** Whether a replica is not to be waited for as long as the call may take: it may lack what the session has seen. */
  #isShort({ kind, hasSession, mayTakeLong }: CallPlan): boolean {
    if (hasSession !== true || mayTakeLong === true || this.replicas.all.length < 2) return false;
    return this.#options.retries || kind === "read";
  }

  /** When to give up at this replica. A read that hangs leaves the next one a share of the time. */
  #attemptDeadline({ kind, deadlineMs }: CallPlan, isShort: boolean, hasNext: boolean): number {
    if (isShort) return Math.min(deadlineMs, Date.now() + SESSION_ATTEMPT_MS);
    return kind === "read" && hasNext ? shareOf(deadlineMs) : deadlineMs;
  }

  /** Whether the call may be taken from a replica that does not answer: what is not asked again must be waited for. */
  #mayLeave({ kind }: CallPlan, hasNext: boolean): boolean {
    return this.#options.retries ? kind !== "conditional" : kind === "read" && hasNext;
  }

  #explained(failure: CallFailure, replica: Replica, wasCut: boolean): CallFailure {
    const { fate, error } = failure;
    if (fate === "refused" || fate === "final") replica.heard(performance.now());
    if (
      fate === "unknown" &&
      error.code === "UNAVAILABLE" &&
      replica.health === "well" &&
      !replica.isRetired
    ) {
      // The connection may have been closed in good order: whether the replica is well, it is asked at once.
      void replica.check();
    }
    if (!wasCut || error.code !== "DEADLINE_EXCEEDED") return failure;
    return new CallFailure(error, "unknown");
  }

  #start<Method extends DescMethodUnary>(
    method: Method,
    message: MessageShape<Method["input"]>,
    replica: Replica,
    deadlineMs: number,
    isFirst: boolean,
  ): RunningCall<MessageShape<Method["output"]>> {
    const isBusy = replica.inFlight >= PIPELINE_FROM;
    if (this.#options.pipelining && isBusy && isFirst && replica.pipeline.isSupported) {
      const operation = operationOf(method, message);
      if (operation !== undefined) {
        const call = replica.pipeline.submit(operation.kind, operation.bytes);
        // The kind of the operation decides the kind of its reply.
        const bound: RunningCall<unknown> = this.#deadlines.bound(call, deadlineMs, replica.address);
        return bound as RunningCall<MessageShape<Method["output"]>>;
      }
    }
    return replica.channel.unary(method, message, deadlineMs);
  }

  #mayRetry({ fate, error }: CallFailure, plan: CallPlan, isRound: boolean, from: Replica): boolean {
    if (fate === "final" || plan.signal?.aborted === true) return false;
    if (!this.#options.retries && (isRound || (fate === "unknown" && plan.kind !== "read"))) return false;
    if (error.code === "CANCELLED") return false;
    // Leaving a sick replica for one that is well adds nothing to the load of either.
    if (!isRound && from.health === "sick") return true;
    return this.#budget.take(performance.now());
  }

  /** What the caller is told when this attempt was the last; `refusal` is what a replica said before it. */
  #verdictOn(
    { error, fate }: CallFailure,
    { kind, signal }: CallPlan,
    inDoubt: boolean,
    refusal: MeshkvError | undefined,
    problems: readonly MeshkvError[],
  ): MeshkvError {
    if (signal?.aborted === true) return cancelled(signal);
    const isDoubtful = kind !== "read" && inDoubt;
    if (!this.#options.retries && fate !== "final" && !isDoubtful) return unservedBy(problems);
    const ranOut = refusal !== undefined && error.code === "DEADLINE_EXCEEDED";
    if (isDoubtful) return withDoubt(error, ranOut ? refusal : undefined);
    // Nothing hangs on a read that ran out of time: why there was none until then says more.
    return ranOut ? refusal : error;
  }

  #noteRefusal({ fate, error }: CallFailure, replica: Replica, { kind }: CallPlan): void {
    if (fate !== "refused" || kind === "read") return;
    if (error.code === "STORAGE_FULL" || error.code === "CLOCK_SKEW") replica.refusedWrite(performance.now());
  }
}

/** What of a call a pipeline can carry, and about how many bytes. */
function operationOf(
  method: DescMethod,
  message: unknown,
): { readonly kind: OperationKind; readonly bytes: number } | undefined {
  switch (method) {
    case KeyValue.method.get: {
      const value = message as GetRequest;
      return { kind: { case: "get", value }, bytes: value.key.length };
    }
    case KeyValue.method.set: {
      const value = message as SetRequest;
      const bytes = value.key.length + value.value.length;
      return bytes > PIPELINED_BYTES_MAX ? undefined : { kind: { case: "set", value }, bytes };
    }
    case KeyValue.method.delete: {
      const value = message as DeleteRequest;
      if (value.target.case !== "key") return undefined;
      return { kind: { case: "delete", value }, bytes: value.target.value.length };
    }
    default:
      return undefined;
  }
}

/** Cancels a call when the caller gives up. */
async function withSignal<Reply>(
  reply: Promise<Reply>,
  call: RunningCall<Reply>,
  signal: AbortSignal | undefined,
): Promise<Reply> {
  if (signal === undefined) return reply;
  return new Promise<Reply>((resolve, reject) => {
    const onAbort = (): void => {
      call.cancel();
      reject(cancelled(signal));
    };
    if (signal.aborted) onAbort();
    reply.then(resolve, reject).finally(onceAborted(signal, onAbort));
  });
}
