/**
 * Watchers that move between machines with their tokens, once everybody is in one mesh: no gap, nothing told twice
 * (expiry aside), or an honest end of the stream, after which a watcher begins afresh. Each keeps a journal.
 */
import type { KeyText, WatchTarget } from "@meshkv/core";
import { KnownRecords, WatchChain, type WatchedHost } from "../watch/watch-chain.ts";
import { WatchViolation } from "../watch/watch-journal.ts";
import type { Machine } from "./machine.ts";
import type { WorldParameters } from "./parameters.ts";
import type { Random } from "./random.ts";
import { Violation } from "./violation.ts";

const EVERYTHING: WatchTarget = { kind: "prefix", text: "" as KeyText };

export class WatchProbes {
  readonly #parameters: WorldParameters;
  readonly #random: Random;
  readonly #known = new KnownRecords();
  readonly #chains: WatchChain[] = [];
  readonly #ended: WatchChain[] = [];
  #begun = 0;
  /** Streams that ended since a gap would have been silent. */
  tooOld = 0;

  constructor(parameters: WorldParameters, random: Random) {
    this.#parameters = parameters;
    this.#random = random;
  }

  /** What every watcher was told, and in how many streams. */
  get told(): { readonly events: number; readonly streams: number } {
    const journals = [...this.#chains, ...this.#ended].map(({ journal }) => journal);
    return {
      events: journals.reduce((sum, { events }) => sum + events, 0),
      streams: journals.reduce((sum, { streams }) => sum + streams, 0),
    };
  }

  /** One watcher reads on, or goes elsewhere. */
  act(machines: readonly Machine[]): void {
    const { watchers } = this.#parameters;
    if (watchers === 0) return;
    if (this.#chains.length < watchers) {
      if (!areOneMesh(machines)) return;
      while (this.#chains.length < watchers) this.#chains.push(this.#begin());
    }
    const random = this.#random;
    const index = random.below(watchers);
    const machine = random.pick(machines);
    const isMoving = random.chance(0.2);
    const pages = random.between(1, 4);
    const chain = this.#chains[index];
    if (chain === undefined) return;
    this.#judged(() => {
      const { at } = chain;
      if (at !== undefined && !machines.some(({ shell }) => shell?.host === at.host)) chain.drop();
      const watched = watchedHost(machine);
      if ((chain.at === undefined || isMoving) && watched !== undefined) chain.resume(watched);
      if (chain.pull(pages) === "ended") this.#afresh(index);
    });
  }

  #begin(): WatchChain {
    const random = this.#random;
    this.#begun += 1;
    const isOne = random.chance(0.3);
    const text = `k${random.below(this.#parameters.keys)}` as KeyText;
    const target: WatchTarget = isOne ? { kind: "key", text } : EVERYTHING;
    const eventsMax = random.chance(0.5) ? random.between(1, 5) : 1000;
    return new WatchChain(`${this.#begun}`, target, random.chance(0.6), this.#known, eventsMax);
  }

  #afresh(index: number): void {
    this.tooOld += 1;
    const chain = this.#chains[index];
    if (chain !== undefined) this.#ended.push(chain);
    this.#chains[index] = this.#begin();
  }

  /** At rest: everybody reads to the end, elsewhere, and is judged by what a third shows. */
  finish(machines: readonly Machine[]): void {
    for (const [index, chain] of this.#chains.entries()) {
      const [at, other] = [machines[index % machines.length], machines[(index + 1) % machines.length]];
      const [watched, shown] = [at && watchedHost(at), other && watchedHost(other)];
      if (watched === undefined || shown === undefined || other === undefined) continue;
      this.#judged(() => {
        // A watcher that never began has nothing to go on from.
        if (chain.journal.streams === 0) return;
        chain.resume(watched);
        const end = chain.pull();
        if (end === "ended") return this.#afresh(index);
        if (end !== "idle")
          throw new Violation("eventually-watched", `watcher ${chain.journal.name} is ${end}`);
        chain.judge(shown, other.wallMs());
        chain.drop();
      });
    }
  }

  #judged(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (error instanceof WatchViolation) throw new Violation("always-watched", error.message);
      throw error;
    }
  }
}

/** Every machine is up, and every one sees them all as members. */
function areOneMesh(machines: readonly Machine[]): boolean {
  return machines.every(({ shell }) => {
    if (shell === undefined || shell.host.rejoin !== undefined) return false;
    return shell.host.active.replica.durableMembers.current().length === machines.length;
  });
}

function watchedHost({ shell, disk, address }: Machine): WatchedHost | undefined {
  if (shell === undefined) return undefined;
  const { host } = shell;
  // Nothing of this process start is durable yet: it serves nobody.
  if (host.active.replica.isCommitting && !shell.mayWrite) return undefined;
  return { name: address, host, scan: (request) => disk.tables(host.active.generation).scan(request) };
}
