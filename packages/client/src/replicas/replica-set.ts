/**
 * The replicas that a client knows: it asks one of them who the members are, again and again, keeps a connection to each,
 * and chooses among those that are well.
 */
import {
  create,
  ListMembersRequestSchema,
  type Member,
  Member_State,
  Mesh,
  MeshkvError,
} from "@meshkv/protocol";
import { onceAborted } from "../call/abort.ts";
import { CallFailure } from "../call/call-failure.ts";
import { resolveSeeds, type Seed } from "./addresses.ts";
import { Replica } from "./replica.ts";

const TICK_MS = 100;
/** A tick that comes so late says that this process was held up. */
const LATE_TICK_MS = 250;
/** How often a replica is asked for the members. */
const MEMBERS_MS = 2000;
/** After a replica was lost, sooner. */
const MEMBERS_SOON_MS = 200;
const MEMBERS_TIMEOUT_MS = 2000;
/** How often a name that stands for nobody is looked up again while somebody waits. */
const LOOK_UP_MS = 200;

/** What happens to the replicas of a client, for whoever wants to know. */
export interface ReplicaNews {
  readonly kind: "up" | "down" | "joined" | "left";
  /** `host:port`. */
  readonly address: string;
  /** For people. */
  readonly reason: string;
}

/** How replicas are found and chosen. */
export interface ReplicaSetOptions {
  readonly seeds: readonly Seed[];
  /** Whether the members are asked for; otherwise the seeds are all there is, in their order. */
  readonly discover: boolean;
  /** Whether to begin without having found a replica, and without asking those that are not needed. */
  readonly lazy: boolean;
  readonly onNews: (news: ReplicaNews) => void;
  /** For tests: how names become addresses. */
  readonly resolve?: ((host: string) => Promise<readonly string[]>) | undefined;
}

/** The replicas of one client. */
export class ReplicaSet {
  readonly #options: ReplicaSetOptions;
  readonly #replicas = new Map<string, Replica>();
  readonly #wakers = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #tickedAtMs = performance.now();
  #askMembersAtMs = 0;
  #lookingUp: Promise<void> | undefined;
  #isAsking = false;
  #isClosed = false;

  constructor(options: ReplicaSetOptions) {
    this.#options = options;
  }

  get all(): Replica[] {
    return [...this.#replicas.values()];
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Finds the first replica that is well, and the members; rejects with UNAVAILABLE when there is none in time. */
  async open(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    await this.find(Date.now() + timeoutMs, !this.#options.lazy, signal);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    // A program that has nothing else to do may end.
    this.#timer.unref();
    if (this.#options.lazy) return;
    while (!this.all.some(({ health }) => health === "well")) {
      if (signal?.aborted === true) throw new MeshkvError("CANCELLED", "the caller gave up");
      const remainingMs = endMs - performance.now();
      if (remainingMs <= 0) throw this.unreachable();
      await this.changed(Math.min(remainingMs, MEMBERS_SOON_MS), signal);
    }
    if (this.#options.discover) await this.#askMembers();
  }

  /** Resolves at the next change of anybody's health or of the members, or after the time. */
  changed(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wakers.delete(done);
        forget();
        resolve();
      };
      const timer = setTimeout(done, Math.max(0, timeoutMs));
      this.#wakers.add(done);
      const forget = onceAborted(signal, done);
    });
  }

  /** Ends every connection and everything under way. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const replica of this.#replicas.values()) replica.close();
    this.#replicas.clear();
    this.#wake();
  }

  /**
   * A replica for a call: of two that are well, picked at random, the one that should answer sooner. Those in `tried` come
   * only when there is no other, and sick ones only when none is well.
   */
  choose(isWrite: boolean, tried: ReadonlySet<Replica>): Replica | undefined {
    const nowMs = performance.now();
    const isFresh = (replica: Replica): boolean => !tried.has(replica);
    const all = this.all;
    const well = all.filter(
      (replica) => replica.health === "well" && (!isWrite || replica.takesWrites(nowMs)),
    );
    const fresh = well.filter(isFresh);
    if (!this.#options.discover) {
      const untold = all.find((replica) => replica.health === "unknown" && isFresh(replica));
      return fresh[0] ?? untold ?? all.find(isFresh) ?? well[0] ?? all[0];
    }
    for (const candidates of [fresh, well, all.filter(isFresh), all]) {
      const [first, second] = twoOf(candidates);
      if (first !== undefined) return second !== undefined && second.cost < first.cost ? second : first;
    }
    return undefined;
  }

  /**
   * Looks up once more for which replicas the seeds stand, and, when `isPatient`, again until there is one. Gives up at the
   * deadline (`Date.now()`) or when the caller does; resolves with whether any replica is known.
   */
  async find(deadlineMs: number, isPatient: boolean, signal?: AbortSignal): Promise<boolean> {
    while (!this.#isClosed && signal?.aborted !== true) {
      const found = new AbortController();
      const signals = signal === undefined ? [found.signal] : [found.signal, signal];
      const tooLate = this.changed(deadlineMs - Date.now(), AbortSignal.any(signals));
      await Promise.race([this.#addSeeds(), tooLate]);
      found.abort();
      const remainingMs = deadlineMs - Date.now();
      if (this.#replicas.size > 0 || !isPatient || remainingMs <= 0) break;
      await this.changed(Math.min(remainingMs, LOOK_UP_MS), signal);
    }
    return this.#replicas.size > 0;
  }

  /** Where there is an order: this one comes last from now on. */
  passOver(replica: Replica): void {
    if (this.#options.discover || this.#replicas.get(replica.address) !== replica) return;
    this.#replicas.delete(replica.address);
    this.#replicas.set(replica.address, replica);
  }

  /** The error when nobody can serve. */
  unreachable(): MeshkvError {
    const problems = this.all.flatMap(({ address, problem }) =>
      problem === undefined ? [`${address} does not answer`] : [problem.message],
    );
    const names = this.#options.seeds.flatMap((seed) => (seed.kind === "name" ? [seed.host] : []));
    if (problems.length === 0) {
      return new MeshkvError("UNAVAILABLE", `cannot resolve ${names.join(", ")}: is the name right?`);
    }
    const [only] = problems;
    if (problems.length === 1 && only !== undefined) return new MeshkvError("UNAVAILABLE", only);
    return new MeshkvError("UNAVAILABLE", ["no replica can be reached:", ...problems].join("\n  "));
  }

  /** One look-up at a time: a system that does not answer is not asked again meanwhile. */
  #addSeeds(): Promise<void> {
    const { seeds, resolve } = this.#options;
    this.#lookingUp ??= resolveSeeds(seeds, resolve).then((addresses) => {
      this.#lookingUp = undefined;
      for (const address of addresses) this.#add(address);
    });
    return this.#lookingUp;
  }

  #add(address: string): void {
    if (this.#isClosed || this.#replicas.has(address)) return;
    const replica = new Replica(address, (changed, reason) => this.#onHealth(changed, reason));
    this.#replicas.set(address, replica);
    this.#options.onNews({ kind: "joined", address, reason: "it is one of the members, or was named" });
    if (this.#options.discover || !this.#options.lazy) void replica.check();
  }

  #drop(replica: Replica, reason: string): void {
    this.#replicas.delete(replica.address);
    replica.retire();
    this.#options.onNews({ kind: "left", address: replica.address, reason });
  }

  #onHealth(replica: Replica, reason: string): void {
    if (this.#isClosed || replica.isRetired) return;
    const isWell = replica.health === "well";
    this.#options.onNews({ kind: isWell ? "up" : "down", address: replica.address, reason });
    if (!isWell) {
      this.passOver(replica);
      this.#askMembersAtMs = Math.min(this.#askMembersAtMs, performance.now() + MEMBERS_SOON_MS);
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
  }

  #tick(): void {
    const nowMs = performance.now();
    const isLate = nowMs - this.#tickedAtMs > LATE_TICK_MS;
    this.#tickedAtMs = nowMs;
    for (const replica of this.#replicas.values()) replica.tick(nowMs, isLate);
    if (this.#options.discover && !this.#isAsking && nowMs >= this.#askMembersAtMs) void this.#askMembers();
  }

  /** Asks one replica for the members. Never rejects. */
  async #askMembers(): Promise<void> {
    this.#isAsking = true;
    const replica = this.#replicaToAsk();
    if (replica === undefined) {
      await this.#addSeeds();
    } else {
      const request = create(ListMembersRequestSchema, {});
      const call = replica.channel.unary(Mesh.method.listMembers, request, Date.now() + MEMBERS_TIMEOUT_MS);
      try {
        this.#learn(replica, (await replica.host(call, true)).members);
      } catch (failure) {
        if (!(failure instanceof CallFailure)) throw failure;
      }
    }
    this.#askMembersAtMs = performance.now() + MEMBERS_MS * (0.8 + 0.4 * Math.random());
    this.#isAsking = false;
  }

  #replicaToAsk(): Replica | undefined {
    const well = this.all.filter(({ health }) => health === "well");
    return well[Math.floor(Math.random() * well.length)];
  }

  #learn(asked: Replica, members: readonly Member[]): void {
    if (this.#isClosed || members.length === 0) return;
    const present = members.filter(({ state }) => state !== Member_State.REMOVED);
    const self = present.find(({ state }) => state === Member_State.SELF);
    // Whoever was removed and does not know it yet is no authority on the others.
    if (self === undefined) return;
    asked.replicaId = self.replicaId;
    const addresses = new Map(
      present.filter(({ address }) => address !== "").map(({ replicaId, address }) => [address, replicaId]),
    );
    // The address by which it was reached works here; the one that it tells others may not.
    addresses.delete(self.address);
    addresses.set(asked.address, self.replicaId);
    for (const known of this.all) {
      const replicaId = addresses.get(known.address) ?? known.replicaId;
      const isMember =
        addresses.has(known.address) || present.some((member) => member.replicaId === replicaId);
      if (!isMember) this.#drop(known, "it is no member any more");
      else known.replicaId = replicaId;
    }
    const reached = new Set(this.all.map(({ replicaId }) => replicaId));
    for (const [address, replicaId] of addresses) {
      if (this.#replicas.has(address) || reached.has(replicaId)) continue;
      this.#add(address);
      const added = this.#replicas.get(address);
      if (added !== undefined) added.replicaId = replicaId;
    }
    this.#dropDoubles();
    this.#wake();
  }

  /** One replica reached by two names is asked by one of them. */
  #dropDoubles(): void {
    const byId = new Map<string, Replica>();
    for (const replica of this.all) {
      const { replicaId } = replica;
      if (replicaId === undefined) continue;
      const other = byId.get(replicaId);
      if (other === undefined || (other.health !== "well" && replica.health === "well")) {
        if (other !== undefined) this.#drop(other, `it is ${replica.address}`);
        byId.set(replicaId, replica);
      } else this.#drop(replica, `it is ${other.address}`);
    }
  }
}

function twoOf(replicas: readonly Replica[]): readonly [Replica | undefined, Replica | undefined] {
  if (replicas.length < 2) return [replicas[0], undefined];
  const first = Math.floor(Math.random() * replicas.length);
  const second = (first + 1 + Math.floor(Math.random() * (replicas.length - 1))) % replicas.length;
  return [replicas[first], replicas[second]];
}
