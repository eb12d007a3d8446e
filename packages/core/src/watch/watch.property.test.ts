/** Watchers that move between replicas at random, in meshes that are cut, stopped and restarted, judged by a journal. */
import { KnownRecords, WatchChain, type WatchedHost, type WiredHost, WiredHosts } from "@meshkv/testing/pure";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KeyText } from "../ids.ts";
import type { ScanRequest } from "../table.ts";

const NAMES = ["a", "b", "c"] as const;
const KEYS = ["k/1", "k/2", "k/3", "x"] as const;
const SETTLE_MS = 4000;
const RUNS = 25;

type Step =
  | { readonly kind: "write"; readonly host: number; readonly keys: readonly number[]; readonly how: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "cut" | "heal"; readonly pair: number }
  | { readonly kind: "restart"; readonly host: number }
  | { readonly kind: "clock"; readonly host: number; readonly offsetMs: number }
  | { readonly kind: "pull"; readonly chain: number; readonly pages: number }
  | { readonly kind: "move"; readonly chain: number; readonly host: number };

const host = fc.nat({ max: NAMES.length - 1 });
const chain = fc.nat({ max: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      host,
      keys: fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 3 }),
      how: fc.nat({ max: 9 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(50, 50, 200, 1500) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("cut" as const, "heal" as const),
      pair: fc.nat({ max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const), host }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("clock" as const),
      host,
      offsetMs: fc.constantFrom(0, 3000, 20_000),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("pull" as const), chain, pages: fc.constantFrom(1, 1, 2, 100) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("move" as const), chain, host }) },
);

const steps = fc.array(step, { minLength: 10, maxLength: 60 });
const lost = fc.option(host, { nil: undefined, freq: 2 });

/** Every page of rows ends early, so that watchers stop in the middle of everything. */
function smaller(request: ScanRequest): ScanRequest {
  return "bytesMax" in request && request.bytesMax < 1e9 ? { ...request, bytesMax: 120 } : request;
}

/** A mesh of three, its watchers, and everything that was written. */
class World {
  readonly mesh = new WiredHosts();
  readonly known = new KnownRecords();
  readonly hosts: WiredHost[];
  readonly chains: WatchChain[];
  readonly #config;
  tooOld = 0;
  behind = 0;
  #values = 0;

  readonly #areClocksOff: boolean;

  /** @param areClocksOff clocks differ, and nothing has a deadline: expiries are told by the clock of whoever tells */
  constructor(historyMs: number, changeRingBytes: number, areClocksOff: boolean) {
    this.#areClocksOff = areClocksOff;
    this.#config = { historyMs, historyBytes: 1e9, changeRingBytes };
    this.hosts = NAMES.map((name) => this.#start(name));
    this.mesh.until("all are linked", () => this.hosts.every((h) => h.linkedPeers.length === 2));
    this.mesh.pass(500);
    const targets = [
      { kind: "prefix", text: "" as KeyText },
      { kind: "prefix", text: "k/" as KeyText },
      { kind: "key", text: "k/1" as KeyText },
    ] as const;
    this.chains = targets.flatMap((target, index) => [
      new WatchChain(`${index} initial`, target, true, this.known, index === 0 ? 2 : 1000),
      ...(index < 2
        ? [new WatchChain(`${index} live`, target, false, this.known, index === 0 ? 2 : 1000)]
        : []),
    ]);
    this.chains.forEach((each, index) => each.resume(this.#watched(index % NAMES.length)));
  }

  #start(name: string): WiredHost {
    return this.mesh.start(name, { ...this.#config, peers: name === "a" ? [] : ["a"] });
  }

  #watched(index: number): WatchedHost {
    const wired = this.hosts[index];
    if (wired === undefined) throw new Error("no such host");
    return { name: wired.name, host: wired.host, scan: (request) => wired.tables.scan(smaller(request)) };
  }

  /** @param lost a host that stops at the end and never comes back, with whatever it alone had */
  run(steps: readonly Step[], lost: number | undefined): void {
    for (const each of steps) this.#do(each);
    this.#settle(lost);
  }

  #do(each: Step): void {
    const { mesh } = this;
    switch (each.kind) {
      case "write": {
        const wired = this.hosts[each.host];
        if (wired === undefined || wired.host.isFrozen) return;
        const values: Record<string, string | undefined> = {};
        for (const key of each.keys) {
          this.#values += 1;
          values[KEYS[key] ?? "x"] = each.how < 2 ? undefined : each.how === 9 ? "same" : `${this.#values}`;
        }
        const livesMs = each.how === 3 ? 300 : each.how === 4 ? 2000 : 0;
        const expiresAtMs = livesMs === 0 || this.#areClocksOff ? 0 : mesh.nowMs + livesMs;
        for (const record of wired.write(values, expiresAtMs)) this.known.add(record);
        return mesh.settle();
      }
      case "pass":
        return mesh.pass(each.ms);
      case "cut":
      case "heal": {
        const [first, second] = [this.hosts[each.pair], this.hosts[(each.pair + 1) % NAMES.length]];
        if (first !== undefined && second !== undefined) mesh[each.kind](first, second);
        return;
      }
      case "restart": {
        const wired = this.hosts[each.host];
        if (wired === undefined) return;
        for (const other of this.chains) if (other.at?.name === wired.name) other.drop();
        mesh.stop(wired);
        this.#start(wired.name);
        return;
      }
      case "clock": {
        const wired = this.hosts[each.host];
        if (wired !== undefined && this.#areClocksOff) wired.offsetMs = each.offsetMs;
        return;
      }
      case "pull":
        return this.#pull(each.chain, each.pages);
      case "move":
        this.#chain(each.chain).resume(this.#watched(each.host));
        return this.#pull(each.chain, 1);
    }
  }

  #chain(index: number): WatchChain {
    const found = this.chains[index % this.chains.length];
    if (found === undefined) throw new Error("no chain");
    return found;
  }

  #pull(index: number, pages: number): void {
    const end = this.#chain(index).pull(pages);
    if (end === "ended") this.tooOld += 1;
  }

  #settle(lost: number | undefined): void {
    const { mesh } = this;
    const gone = lost === undefined ? undefined : this.hosts[lost];
    if (gone !== undefined) {
      for (const each of this.chains) if (each.at?.name === gone.name) each.drop();
      mesh.stop(gone);
    }
    const left = this.hosts.flatMap((wired, index) => (wired === gone ? [] : [index]));
    for (const first of this.hosts)
      for (const second of this.hosts) if (first !== second) mesh.heal(first, second);
    const isLinked = (index: number): boolean => this.hosts[index]?.linkedPeers.length === left.length - 1;
    mesh.until("all are linked again", () => left.every(isLinked));
    mesh.pass(SETTLE_MS);
    this.chains.forEach((each, index) => {
      if (each.at === undefined) each.resume(this.#watched(left[index % left.length] ?? 0));
      const end = each.pull();
      if (end === "ended") this.tooOld += 1;
      // What was told by the lost host is waited for.
      else if (end === "behind" && lost !== undefined) this.behind += 1;
      else {
        expect(end).toBe("idle");
        each.judge(this.#watched(left[(index + 1) % left.length] ?? 0), mesh.nowMs);
      }
    });
  }
}

describe("a watcher that moves between replicas", () => {
  it("misses nothing and is told nothing twice, while history lasts", () => {
    fc.assert(
      fc.property(
        steps,
        fc.constantFrom(1, 600, 1e6),
        fc.boolean(),
        lost,
        (given, ringBytes, areOff, gone) => {
          const world = new World(3_600_000, ringBytes, areOff);
          world.run(given, gone);
          expect(world.tooOld).toBe(0);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it("is told so when there is a gap, and misses nothing otherwise", () => {
    fc.assert(
      fc.property(steps, fc.constantFrom(0, 1000), fc.boolean(), lost, (given, historyMs, areOff, gone) => {
        new World(historyMs, 600, areOff).run(given, gone);
      }),
      { numRuns: RUNS },
    );
  });
});
