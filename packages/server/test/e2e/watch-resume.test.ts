/**
 * Watchers that move between servers while these are killed and cut off from each other. Everything that they were told
 * is kept and judged. MESHKV_LONG=1 runs the long form: a million events, two thousand resumes.
 */
import { setMaxListeners } from "node:events";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { KeyValue } from "@meshkv/protocol";
import {
  eventually,
  type FinalKey,
  RemoteWatch,
  sameEverywhere,
  type ServerProcess,
  STAGE_TEST_MS_MAX,
  stageTest as test,
  type TestMesh,
  WatchClient,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

const IS_LONG = process.env["MESHKV_LONG"] === "1";
const EVENTS_MIN = IS_LONG ? 1_000_000 : 20_000;
const RESUMES_MIN = IS_LONG ? 2000 : 100;
const BATCH = 20;
const END = "k/end";
/** Only a start that never ends takes so long, however busy the machine is. */
const READY_MS_MAX = 240_000;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const random = (below: number): number => Math.floor(Math.random() * below);

/** Writers, watchers and faults on one mesh. */
class Play {
  readonly written = new Set<string>();
  readonly watches: RemoteWatch[] = [];
  kills = 0;
  partitions = 0;
  readonly #servers: readonly ServerProcess[];
  readonly #network: TestMesh["network"];
  readonly #clients: readonly WatchClient[];
  #isOver = false;

  constructor({ servers, network }: TestMesh) {
    this.#servers = servers;
    this.#network = network;
    this.#clients = servers.map(({ address }) => new WatchClient(address));
    for (let index = 0; index < 12; index += 1) {
      const value = bytes(index < 8 ? "k/" : index < 10 ? "k/shared/" : "k/shared/1");
      const target = { case: index < 10 ? ("prefix" as const) : ("key" as const), value };
      this.watches.push(
        new RemoteWatch(`${index}`, target, index % 2 === 0, (text) => this.written.has(text)),
      );
    }
  }

  get events(): number {
    return this.watches.reduce((sum, { journal }) => sum + journal.events, 0);
  }

  get resumes(): number {
    return this.watches.reduce((sum, { journal }) => sum + journal.streams - 1, 0);
  }

  /** Runs until enough has happened. */
  async run(): Promise<void> {
    const over = new AbortController();
    setMaxListeners(0, over.signal);
    const watching = this.watches.map((watch) => this.#watch(watch, over.signal));
    // Those who do not begin with the state are told what is written from now on.
    await eventually("all watch", () => {
      for (const { token } of this.watches) if (token === "") throw new Error("not yet");
    });
    const writing = this.#servers.map((server) => this.#write(server));
    const harming = this.#harm();
    const all = Promise.all([...watching, ...writing, harming]);
    const enough = (async () => {
      const isEnough = (): boolean =>
        this.events >= EVENTS_MIN && this.resumes >= RESUMES_MIN && this.kills > 0 && this.partitions > 0;
      while (!this.#isOver && !isEnough()) await sleep(50);
    })();
    try {
      await Promise.race([all, enough]);
    } finally {
      this.#isOver = true;
    }
    await Promise.all([...writing, harming]);
    over.abort();
    await all;
  }

  async #watch(watch: RemoteWatch, signal: AbortSignal): Promise<void> {
    while (!this.#isOver) {
      const client = this.#clients[random(this.#clients.length)];
      if (client === undefined) return;
      const moves = watch.journal.events + random(2 * (EVENTS_MIN / RESUMES_MIN / 2));
      const code = await watch.follow(client, () => this.#isOver || watch.journal.events > moves, signal);
      if (code !== undefined) await sleep(20 + random(50));
    }
  }

  async #write({ name, client }: ServerProcess): Promise<void> {
    for (let number = 0; !this.#isOver; number += 1) {
      const writes = Array.from({ length: BATCH }, (_, index) => {
        const value = `${name}.${number}.${index}`;
        this.written.add(value);
        const isShared = index < 2;
        const key = isShared ? `k/shared/${index}` : `k/${name}/${(number * BATCH + index) % 500}`;
        return index === 19
          ? {
              kind: {
                case: "delete" as const,
                value: { target: { case: "key" as const, value: bytes(key) } },
              },
            }
          : { kind: { case: "set" as const, value: { key: bytes(key), value: bytes(value) } } };
      });
      await client.call(KeyValue.method.batch, { writes }).catch(() => sleep(100));
      await sleep(10);
    }
  }

  async #harm(): Promise<void> {
    while (!this.#isOver) {
      await sleep(300 + random(700));
      const server = this.#servers[random(this.#servers.length)];
      const other = this.#servers[random(this.#servers.length)];
      if (server === undefined || other === undefined) return;
      if (server !== other) {
        this.partitions += 1;
        this.#network.cut(server.port, other.port);
        await sleep(200 + random(800));
        this.#network.heal();
      } else {
        this.kills += 1;
        await server.kill();
        await sleep(random(500));
        server.launch();
        await server.ready(READY_MS_MAX);
      }
    }
    this.#network.heal();
  }

  /** Everybody is told everything, and it is what the servers have. */
  async judge(): Promise<void> {
    const [first] = this.#servers;
    if (first === undefined) return;
    await sameEverywhere(this.#servers, READY_MS_MAX);
    this.written.add("end");
    for (const key of [END, "k/shared/end", "k/shared/1"]) await first.client.set(key, "end");
    const finals = await finalKeys(first);
    for (const watch of this.watches) {
      const isKey = watch.journal.name === "10" || watch.journal.name === "11";
      const isShared = isKey || watch.journal.name === "8" || watch.journal.name === "9";
      const mark = isKey ? "k/shared/1" : isShared ? "k/shared/end" : END;
      const catchUp = async (): Promise<void> => {
        const client = this.#clients[random(this.#clients.length)];
        if (client === undefined || watch.values.get(mark) === "end") return;
        await watch.follow(client, () => watch.values.get(mark) === "end");
        if (watch.values.get(mark) !== "end") throw new Error("not yet");
      };
      await eventually(`watcher ${watch.journal.name} is told everything`, catchUp, READY_MS_MAX);
      const mine = finals.filter(({ key }) =>
        isKey ? key === "k/shared/1" : key.startsWith(isShared ? "k/shared/" : "k/"),
      );
      watch.journal.atRest(mine, () => true);
    }
  }

  /** What is recorded of a long run. */
  summary(begunMs: number): object {
    const { events, resumes, kills, partitions } = this;
    const toldToGoElsewhere = this.watches.reduce((sum, watch) => sum + watch.behind, 0);
    const seconds = Math.round((Date.now() - begunMs) / 1000);
    return { events, resumes, kills, partitions, toldToGoElsewhere, seconds, violations: 0 };
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

async function finalKeys({ client }: ServerProcess): Promise<FinalKey[]> {
  const finals: FinalKey[] = [];
  for (const { key, version, conflictCount } of await client.entries("k/")) {
    const { conflicts } =
      conflictCount === 0
        ? { conflicts: [] }
        : await client.call(KeyValue.method.get, { key, includeConflicts: true });
    const losers = conflicts.map((loser) => [loser.version]);
    finals.push({ key: new TextDecoder().decode(key), version, isDelete: false, isExpired: false, losers });
  }
  return finals;
}

describe("watchers that move between servers", { timeout: IS_LONG ? 3_600_000 : STAGE_TEST_MS_MAX }, () => {
  test("are told everything once, under kills and partitions", async ({ stage }) => {
    const mesh = await stage.mesh(3);
    await Promise.all(mesh.servers.map((server) => server.start()));
    await eventually("all have met", async () => {
      for (const { client } of mesh.servers) {
        const { members } = await client.status();
        if (members.filter(({ state }) => state === 1 || state === 2).length !== 3)
          throw new Error("not yet");
      }
    });
    const play = new Play(mesh);
    stage.atEnd(async () => play.close());
    const begunMs = Date.now();
    await play.run();
    await play.judge();
    expect(play.resumes).toBeGreaterThanOrEqual(RESUMES_MIN);
    expect([play.kills, play.partitions].every((count) => count > 0)).toBe(true);
    if (IS_LONG) process.stderr.write(`${JSON.stringify(play.summary(begunMs))}\n`);
  });
});
