/**
 * Waits until enough replicas are known to hold a write durably. What members have comes in with every frame; so the
 * waiters of one concern share one number, the version up to which all of them are met, and are looked at only when
 * that has moved.
 */
import {
  formatVersion,
  heldLevel,
  holdingMembers,
  isCovered,
  type MemberSet,
  MeshkvError,
  type ReplicaId,
  type Version,
} from "@meshkv/core";
import type { AckOptions, WriteConcern } from "../handlers/local-replica.ts";
import type { Run } from "./run.ts";

interface Waiter {
  readonly version: Version;
  readonly concern: WriteConcern;
  resolve(replicas: number): void;
  reject(error: unknown): void;
}

interface Queue {
  /** Versions of this replica up to here met the concern when last looked at. */
  level: number;
  waiters: Waiter[];
}

export class Acknowledgements {
  readonly #run: Run;
  readonly #queues = new Map<string, Queue>();
  #members: MemberSet | undefined;
  #eligible: readonly ReplicaId[] = [];
  #generation: number;

  constructor(run: Run) {
    this.#run = run;
    this.#generation = run.host.active.generation;
    run.observe(() => this.#settle());
  }

  /**
   * Resolves to the number of replicas that hold the write when the concern is met. The write is durable here already.
   * @throws MeshkvError CONCERN_NOT_MET with `version` and `replicas`, also when the run ends meanwhile: what ended it
   * would read like a refusal, and the write is there; the signal's reason
   */
  wait(version: Version, options: AckOptions): number | Promise<number> {
    const { concern, timeoutMs } = options;
    if (this.#isMet(version, concern)) return this.#holders(version);
    const signal = options.call?.signal;
    return new Promise((resolve, reject) => {
      if (this.#run.failure !== undefined) return reject(this.#refusal(version, concern));
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const queue = this.#queueOf(concern);
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
      };
      const waiter: Waiter = {
        version,
        concern,
        resolve: (replicas) => {
          finish();
          resolve(replicas);
        },
        reject: (error) => {
          finish();
          reject(error as Error);
        },
      };
      const abort = (): void => {
        queue.waiters = queue.waiters.filter((other) => other !== waiter);
        // The caller is gone, or its time is over: what it can still be told is that the write is there.
        waiter.reject(timeoutMs === undefined ? signal?.reason : this.#refusal(version, concern));
      };
      const timer = timeoutMs === undefined ? undefined : setTimeout(abort, timeoutMs);
      signal?.addEventListener("abort", abort);
      queue.waiters.push(waiter);
    });
  }

  #queueOf(concern: WriteConcern): Queue {
    const name = concern.kind === "replicas" ? String(concern.count) : concern.kind;
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = { level: 0, waiters: [] };
      this.#queues.set(name, queue);
    }
    return queue;
  }

  #settle(): void {
    if (this.#queues.size === 0) return;
    const { failure, host } = this.#run;
    const moved = host.active.generation !== this.#generation;
    for (const [name, queue] of this.#queues) {
      if (failure !== undefined) {
        for (const waiter of queue.waiters) waiter.reject(this.#refusal(waiter.version, waiter.concern));
        this.#queues.delete(name);
        continue;
      }
      const [first] = queue.waiters;
      if (first === undefined) {
        this.#queues.delete(name);
        continue;
      }
      const level = this.#level(first.concern);
      if (level === queue.level && !moved) continue;
      queue.level = level;
      const met = queue.waiters.filter(({ version, concern }) => this.#isMet(version, concern));
      if (met.length === 0) continue;
      const done = new Set(met);
      queue.waiters = queue.waiters.filter((waiter) => !done.has(waiter));
      for (const waiter of met) waiter.resolve(this.#holders(waiter.version));
    }
  }

  #current(): readonly ReplicaId[] {
    const members = this.#run.host.active.replica.durableMembers;
    if (members !== this.#members) {
      this.#members = members;
      this.#eligible = holdingMembers(members);
    }
    return this.#eligible;
  }

  /** Own versions up to here are held by as many as the concern asks for. */
  #level(concern: WriteConcern): number {
    const { replica, peering } = this.#run.host.active;
    const members = this.#current();
    const count = concern.kind === "replicas" ? concern.count : concern.kind === "all" ? members.length : 1;
    return heldLevel(members, (id) => peering.knowledgeOf(id), replica.id, count);
  }

  #isMet(version: Version, concern: WriteConcern): boolean {
    if (concern.kind === "relaxed" || (concern.kind === "replicas" && concern.count === 1)) return true;
    if (version.origin === this.#run.host.active.replica.id) {
      return this.#level(concern) >= version.timestamp;
    }
    const wanted = concern.kind === "all" ? this.#current().length : concern.count;
    return this.#holders(version) >= wanted;
  }

  /** Replicas that hold the write durably, this one included. It may have got another id meanwhile (rule M2). */
  #holders(version: Version): number {
    const { replica, peering } = this.#run.host.active;
    let count = 0;
    for (const id of this.#current()) {
      const vector = peering.knowledgeOf(id)?.vector;
      if (vector === undefined) continue;
      const { origin, timestamp } = version;
      if (
        vector.covers(origin, timestamp) ||
        (origin !== replica.id && isCovered(version, vector, replica.durableMembers, ANY_BRANCH))
      ) {
        count += 1;
      }
    }
    return Math.max(1, count);
  }

  #refusal(version: Version, concern: WriteConcern): MeshkvError {
    const count = this.#holders(version);
    const members = this.#current().length;
    const asked = concern.kind === "replicas" ? `on ${concern.count}` : `on all`;
    return new MeshkvError(
      "CONCERN_NOT_MET",
      `the write is durable on ${count} of ${members} members, not ${asked} as asked: it stays written and will spread`,
      { version: formatVersion(version), replicas: String(count), members: String(members) },
    );
  }
}

/** Where the write was held is not asked: this replica wrote it itself. */
const ANY_BRANCH = { get: () => undefined };
