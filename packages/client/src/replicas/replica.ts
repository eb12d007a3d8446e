/**
 * One replica as the client sees it: its connection, what is under way on it, and whether it is well.
 *
 * A replica is well while it answers. It is taken for sick when its connection breaks, or when calls wait on it and it does
 * not answer a health check either; what can be asked elsewhere leaves it then, at once. It is asked again until it is well.
 */
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
  create,
  MeshkvError,
} from "@meshkv/protocol";
import { CallFailure } from "../call/call-failure.ts";
import { Channel, type RunningCall } from "../call/channel.ts";
import { Pipeline } from "../call/pipeline.ts";
import { Latency } from "./latency.ts";

/** Calls wait and nothing has been heard for so long: the replica is asked whether it is well. */
const SILENCE_MS = 250;
/** It has so long to answer that. Together with the silence and a tick: well under a second. */
const CHECK_MS = 400;
/** A check that ends so much later than it should says that this process was held up, and nothing of the replica. */
const HELD_UP_MS = 150;
/** A replica without calls is asked so often, which measures it too. */
const IDLE_CHECK_MS = 5000;
/** While somebody follows changes on it, silence is no sign of anything: it is asked more often. */
const WATCHED_CHECK_MS = 600;
/** A sick replica is asked again after this, and then at growing intervals. */
const RECHECK_MS_MIN = 100;
const RECHECK_MS_MAX = 1000;
/** How long a replica that refused a write (disk full, wrong clock) is not given others. */
const WRITE_REFUSAL_MS = 1000;

/** What a replica is for the choice of a replica. */
export type ReplicaHealth = "unknown" | "well" | "sick";

/** A call that is told when its replica is taken for sick. */
interface Guest {
  readonly leave: (failure: CallFailure) => void;
}

/** Told when the health of a replica changes. */
export type HealthListener = (replica: Replica, reason: string) => void;

/** One replica. Times are `performance.now()`. */
export class Replica {
  readonly address: string;
  readonly channel: Channel;
  readonly pipeline: Pipeline;
  readonly latency = new Latency();
  /** Its id, once known. */
  replicaId: string | undefined;
  /** Calls under way. */
  inFlight = 0;
  #health: ReplicaHealth = "unknown";
  /** What was wrong with it at last. */
  problem: MeshkvError | undefined;
  readonly #onHealth: HealthListener;
  readonly #guests = new Set<Guest>();
  #watches = 0;
  #heardAtMs = 0;
  #busySinceMs = 0;
  #checkedAtMs = performance.now();
  #isChecking = false;
  /** Whether it has ever been asked how it is; until then it is left alone, unless it is in use. */
  #isProbed = false;
  #recheckMs = RECHECK_MS_MIN;
  #refusesWritesUntilMs = 0;
  #isRetired = false;

  constructor(address: string, onHealth: HealthListener) {
    this.address = address;
    this.channel = new Channel(address);
    this.pipeline = new Pipeline(this.channel);
    this.#onHealth = onHealth;
  }

  get health(): ReplicaHealth {
    return this.#health;
  }

  get isRetired(): boolean {
    return this.#isRetired;
  }

  takesWrites(nowMs: number): boolean {
    return nowMs >= this.#refusesWritesUntilMs;
  }

  /** It refused a write for a reason of its own. */
  refusedWrite(nowMs: number): void {
    this.#refusesWritesUntilMs = nowMs + WRITE_REFUSAL_MS;
  }

  /** What a choice among replicas compares: how long an answer may take, with what is under way already. */
  get cost(): number {
    return this.latency.estimateMs * (this.inFlight + 1);
  }

  /** Something was heard of it. */
  heard(nowMs: number): void {
    this.#heardAtMs = nowMs;
  }

  /** It has answered a call. */
  served(nowMs: number): void {
    this.heard(nowMs);
    if (this.#health === "unknown") this.#recovered();
  }

  /** Connects, unless it is connected; says what is wrong when there can be no connection by the deadline (a `Date.now()`). */
  async connect(deadlineMs: number, signal: AbortSignal | undefined): Promise<MeshkvError | undefined> {
    if (this.channel.isReady) return undefined;
    const problem = await this.channel.connect(deadlineMs, signal);
    // Dropped meanwhile: whoever wanted it goes elsewhere.
    if (this.#isRetired) return this.#noMember();
    if (problem !== undefined && signal?.aborted !== true) this.broke(problem);
    return problem;
  }

  /**
   * Hosts a call until it settles. A call that may leave does so when the replica is taken for sick: it rejects then with
   * fate `unknown`, and what becomes of it there is nobody's concern any more.
   */
  async host<Reply>(call: RunningCall<Reply>, mayLeave: boolean): Promise<Reply> {
    if (this.inFlight === 0) this.#busySinceMs = performance.now();
    this.inFlight += 1;
    let guest: Guest | undefined;
    try {
      if (!mayLeave) return await call.reply;
      return await new Promise<Reply>((resolve, reject) => {
        guest = {
          leave: (failure) => {
            call.cancel();
            reject(failure);
          },
        };
        this.#guests.add(guest);
        call.reply.then(resolve, reject);
      });
    } finally {
      if (guest !== undefined) this.#guests.delete(guest);
      this.inFlight -= 1;
      this.#closeIfDone();
    }
  }

  /** Hosts a stream of changes: `leave` is called when the replica is taken for sick or gone. Returns how to end it. */
  hostWatch(leave: (failure: CallFailure) => void): () => void {
    const guest: Guest = { leave };
    this.#guests.add(guest);
    this.#watches += 1;
    return () => {
      if (!this.#guests.delete(guest)) return;
      this.#watches -= 1;
      this.#closeIfDone();
    };
  }

  /** Called every tick: asks how the replica is when it is time to. `isLate`: this process itself was held up. */
  tick(nowMs: number, isLate: boolean): void {
    if (this.#isChecking || this.#isRetired) return;
    if (isLate) {
      // What came meanwhile has not been read yet: the silence may be ours.
      this.#heardAtMs = nowMs;
      return;
    }
    if (nowMs - this.#checkedAtMs >= this.#checkAfterMs(nowMs)) void this.check();
  }

  #checkAfterMs(nowMs: number): number {
    if (this.#health === "sick" || (this.#health === "unknown" && this.#isProbed)) return this.#recheckMs;
    const silentSinceMs = Math.max(this.#heardAtMs, this.#busySinceMs);
    if (this.inFlight > 0 && nowMs - silentSinceMs >= SILENCE_MS) return SILENCE_MS;
    if (this.#watches > 0) return WATCHED_CHECK_MS;
    return this.#health === "unknown" ? Number.POSITIVE_INFINITY : IDLE_CHECK_MS;
  }

  /** Asks how the replica is, now. Never rejects. */
  async check(timeoutMs: number = CHECK_MS): Promise<void> {
    this.#isChecking = true;
    this.#isProbed = true;
    this.#checkedAtMs = performance.now();
    // The first try may have to connect to a host that is far away.
    const limitMs = this.#health === "well" ? timeoutMs : Math.max(timeoutMs, 2 * CHECK_MS);
    const deadlineMs = Date.now() + limitMs;
    const problem = this.channel.isReady ? undefined : await this.channel.connect(deadlineMs);
    if (problem !== undefined) this.broke(problem);
    else {
      const sentAtMs = performance.now();
      const request = create(HealthCheckRequestSchema, {});
      try {
        const { status } = await this.channel.unary(Health.method.check, request, deadlineMs).reply;
        const nowMs = performance.now();
        this.heard(nowMs);
        this.latency.observe(nowMs - sentAtMs, nowMs);
        if (status === ServingStatus.SERVING) this.#recovered();
        else this.#turnSick(new MeshkvError("UNAVAILABLE", `${this.address} is not ready`), false);
      } catch (failure) {
        if (!(failure instanceof CallFailure)) throw failure;
        if (performance.now() - sentAtMs < limitMs + HELD_UP_MS) this.#onCheckFailure(failure, sentAtMs);
      }
    }
    this.#checkedAtMs = performance.now();
    this.#isChecking = false;
  }

  #onCheckFailure({ error }: CallFailure, sentAtMs: number): void {
    // It has answered something else meanwhile, so it lives.
    if (this.#health === "well" && this.#heardAtMs > sentAtMs) return;
    // A server without health checks is as well as its connection.
    if (/does not serve this call/.test(error.message)) this.#recovered();
    else if (error.code !== "DEADLINE_EXCEEDED") this.#turnSick(error, true);
    else this.#turnSick(new MeshkvError("UNAVAILABLE", `${this.address} does not answer`), true);
  }

  /** Its connection broke, or could not be made. */
  broke(problem: MeshkvError): void {
    this.#turnSick(problem, true);
  }

  /** Takes the replica out of use; its connection closes when nothing is under way on it any more. */
  retire(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    if (this.#watches > 0) this.#evict(new CallFailure(this.#noMember(), "unknown"));
    this.#closeIfDone();
  }

  /** Ends everything at once. */
  close(): void {
    this.#isRetired = true;
    this.#evict(new CallFailure(new MeshkvError("CANCELLED", "the client is closed"), "final"));
    this.pipeline.cancel();
    this.channel.close();
  }

  #closeIfDone(): void {
    if (!this.#isRetired || this.inFlight > 0 || this.#watches > 0) return;
    this.pipeline.end();
    this.channel.close();
  }

  #noMember(): MeshkvError {
    return new MeshkvError("UNAVAILABLE", `${this.address} is no member any more`);
  }

  #recovered(): void {
    this.#recheckMs = RECHECK_MS_MIN;
    if (this.#health === "well") return;
    this.#health = "well";
    this.problem = undefined;
    this.#onHealth(this, "it answers");
  }

  #turnSick(problem: MeshkvError, mustLeave: boolean): void {
    this.problem = problem;
    if (this.#health === "sick") this.#recheckMs = Math.min(RECHECK_MS_MAX, 2 * this.#recheckMs);
    const changed = this.#health !== "sick";
    this.#health = "sick";
    if (changed) this.#onHealth(this, problem.message);
    if (mustLeave) this.#evict(new CallFailure(problem, "unknown"));
  }

  #evict(failure: CallFailure): void {
    for (const guest of this.#guests) guest.leave(failure);
  }
}
