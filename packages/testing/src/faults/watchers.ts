/** Watchers that go on at another server again and again; each round has new ones. */
import { setTimeout as sleep } from "node:timers/promises";
import { MeshkvError } from "@meshkv/core";
import type { ServerState } from "../checkers/history.ts";
import { eventually } from "../processes/eventually.ts";
import { Random } from "../simulator/random.ts";
import { RemoteWatch, WatchClient } from "../watch/remote-watch.ts";
import { type FinalKey, WatchViolation } from "../watch/watch-journal.ts";
import { READY_MS_MAX, type Subject } from "./cluster.ts";
import { bytesOf } from "./lane.ts";

const PREFIXES = ["hot/", "", "hot/"];
/** The greatest key of each range that is watched: they are written last, and come last where the state is told first. */
export const MARK_KEYS: readonly string[] = ["hot/~", "~"];
/** More than a watcher is told in a round. */
const LINES_MAX = 200_000;
const STAY_MS = { low: 500, high: 15_000 };
/** At rest a stream that says nothing for so long is tried elsewhere. */
const STREAM_MS_MAX = 60_000;
/** Refusals at rest, one server after the other, by which it is clear that no server goes on. */
const REFUSALS_MAX = 6;
const PAUSE_MS = { afterMove: 5, afterError: 40 };

/** How watchers are made. */
export interface WatcherOptions {
  readonly seed: number;
  /** Servers that a watcher may ask now. */
  readonly open: () => readonly Subject[];
  readonly isGiven: (value: string) => boolean;
}

interface Watcher {
  readonly name: string;
  readonly prefix: string;
  /** Begins with the state. */
  isInitial: boolean;
  /** It was told to begin anew: which conflicts there were then is not known, and a state does not tell them. */
  isAnew: boolean;
  /** It was refused everywhere. */
  isStuck: boolean;
  watch: RemoteWatch;
}

/** The watchers of a run. */
export class Watchers {
  readonly #options: WatcherOptions;
  readonly #clients = new Map<string, WatchClient>();
  #watchers: Watcher[] = [];
  /** What was there before the watchers: it is told only to those who begin with the state. */
  #before: ServerState | undefined;
  /** Written after that, and perhaps before a watcher began: it may be told, or not. */
  #restored: string | undefined;
  #stopping = new AbortController();
  #under: Promise<void>[] = [];
  readonly #violations: string[] = [];
  /** Of all rounds. `tooOld`: watches that were told to begin anew; `behind`: to ask elsewhere; `stuck`: for ever. */
  readonly totals = { events: 0, resumes: 0, tooOld: 0, behind: 0, stuck: 0 };

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  /**
   * @param before what all servers hold at the end of the round before
   * @param restored the version that was written since
   */
  start(round: number, before: ServerState | undefined, restored: string | undefined): void {
    this.#stopping = new AbortController();
    this.#before = before;
    this.#restored = restored;
    this.#watchers = PREFIXES.map((prefix, index) => {
      const name = `w${round}.${index}`;
      const isInitial = (round + index) % 2 === 0;
      return {
        name,
        prefix,
        isInitial,
        isAnew: false,
        isStuck: false,
        watch: this.#watchOf(name, prefix, isInitial),
      };
    });
    this.#under = this.#watchers.map((watcher, index) =>
      this.#roam(watcher, new Random(this.#options.seed, 0x6000_0000 + round * 100 + index)),
    );
  }

  /** Resolves once every watcher has a token: what is written from now on is news to all of them. */
  async begun(): Promise<void> {
    await eventually("all watch", () => {
      for (const { name, watch } of this.#watchers)
        if (watch.token === "") throw new Error(`${name} does not`);
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#under);
  }

  /** What each watcher of the round was told. */
  get told(): ReadonlyMap<string, readonly string[]> {
    return new Map(this.#watchers.map(({ name, watch }) => [name, watch.journal.lines]));
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }

  #watchOf(name: string, prefix: string, isInitial: boolean): RemoteWatch {
    const target = { case: "prefix" as const, value: bytesOf(prefix) };
    // Which versions are places in the order is known only when all writes have been answered.
    return new RemoteWatch(name, target, isInitial, this.#options.isGiven, () => 1, LINES_MAX);
  }

  #clientOf({ name, process }: Subject): WatchClient {
    let client = this.#clients.get(name);
    if (client === undefined) {
      client = new WatchClient(process.address);
      this.#clients.set(name, client);
    }
    return client;
  }

  async #roam(watcher: Watcher, random: Random): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const open = this.#options.open();
      if (open.length === 0) {
        await sleep(PAUSE_MS.afterError);
        continue;
      }
      const move = new AbortController();
      const leave = (): void => move.abort();
      const timer = setTimeout(leave, random.logarithmic(STAY_MS.low, STAY_MS.high));
      signal.addEventListener("abort", leave);
      const hadToken = watcher.watch.token !== "";
      const isPassing = await this.#follow(watcher, random.pick(open), () => false, move.signal);
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
      if (!isPassing) return;
      if (hadToken) this.totals.resumes += 1;
      await sleep(move.signal.aborted ? PAUSE_MS.afterMove : PAUSE_MS.afterError);
    }
  }

  /** Follows one stream; false when the watch is over, since it was told what must not be. */
  async #follow(
    watcher: Watcher,
    subject: Subject,
    until: () => boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    try {
      await watcher.watch.follow(this.#clientOf(subject), until, signal);
      return true;
    } catch (error) {
      if (error instanceof WatchViolation) this.#violations.push(`always-told: ${error.message}`);
      else if (error instanceof MeshkvError && error.code === "RESUME_TOO_OLD") {
        this.totals.tooOld += 1;
        this.#count(watcher.watch);
        watcher.isInitial = true;
        watcher.isAnew = true;
        watcher.watch = this.#watchOf(watcher.name, watcher.prefix, true);
        return true;
      } else if (error instanceof MeshkvError) return true;
      else throw error;
      return false;
    }
  }

  #count({ journal, behind }: RemoteWatch): void {
    this.totals.events += journal.events;
    this.totals.behind += behind;
  }

  /**
   * Lets every watcher be told everything, wherever it can go on.
   * @param mark the value of all {@link MARK_KEYS}, written after everything else
   * @param isForked a directory was copied in this round: whoever was shown a write of a copy that was not told apart yet
   * may be refused everywhere (SESSION_NOT_MET), which is honest, and counted
   */
  async catchUp(mark: string, isForked: boolean): Promise<void> {
    await Promise.all(this.#watchers.map((watcher) => this.#catchUp(watcher, mark, isForked)));
  }

  /**
   * Judges the watchers after {@link catchUp}.
   * @param isOrdered whether a version is its write's place in the order
   */
  judge(state: ServerState, isOrdered: (version: string) => boolean): readonly string[] {
    for (const watcher of this.#watchers) {
      if (this.#violations.length > 0) break;
      const { watch } = watcher;
      this.#count(watch);
      if (watcher.isStuck) {
        this.totals.stuck += 1;
        continue;
      }
      this.#violations.push(...watch.journal.misordered(isOrdered).map((text) => `always-told: ${text}`));
      try {
        watch.journal.atRest(finalKeys(state, watcher.prefix), this.#isNews(watcher));
      } catch (error) {
        if (!(error instanceof WatchViolation)) throw error;
        this.#violations.push(`eventually-told: ${error.message}`);
      }
      this.#violations.push(...this.#missingLosers(watcher, state));
    }
    return this.#violations;
  }

  async #catchUp(watcher: Watcher, mark: string, isForked: boolean): Promise<void> {
    const random = new Random(this.#options.seed);
    const behind = watcher.watch.behind;
    const isDone = (): boolean => watcher.watch.values.get(`${watcher.prefix}~`) === mark;
    const check = async (): Promise<void> => {
      if (isDone() || this.#violations.length > 0) return;
      if (isForked && watcher.watch.behind - behind > REFUSALS_MAX) {
        watcher.isStuck = true;
        return;
      }
      const signal = AbortSignal.timeout(STREAM_MS_MAX);
      await this.#follow(watcher, random.pick(this.#options.open()), isDone, signal);
      if (!isDone() && this.#violations.length === 0) throw new Error("it was not");
    };
    await eventually(`watcher ${watcher.name} is told everything`, check, READY_MS_MAX);
  }

  #isNews({ isInitial }: Watcher): (version: string) => boolean {
    if (isInitial || this.#before === undefined) return () => true;
    const old = new Set([...this.#before.entries.values()].map(({ version }) => version));
    for (const losers of this.#before.conflicts.values()) for (const { version } of losers) old.add(version);
    if (this.#restored !== undefined) old.add(this.#restored);
    return (version) => !old.has(version);
  }

  /** Losers are judged by their values: a rejoin gives a record another version. */
  #missingLosers({ prefix, watch, name, isAnew }: Watcher, { conflicts }: ServerState): string[] {
    if (isAnew) return [];
    const missing: string[] = [];
    for (const [key, losers] of conflicts) {
      if (!key.startsWith(prefix)) continue;
      const before = new Set((this.#before?.conflicts.get(key) ?? []).map(({ value }) => value));
      const was = this.#before?.entries.get(key)?.value;
      for (const { value } of losers) {
        if (before.has(value) || value === was || watch.losers.has(`${key} ${value}`)) continue;
        missing.push(`eventually-told: watcher ${name}: ${key}: the conflict with ${value} was not told`);
      }
    }
    return missing;
  }
}

function finalKeys({ entries }: ServerState, prefix: string): FinalKey[] {
  const finals: FinalKey[] = [];
  for (const [key, { version }] of entries) {
    if (key.startsWith(prefix)) finals.push({ key, version, isDelete: false, isExpired: false, losers: [] });
  }
  return finals;
}
