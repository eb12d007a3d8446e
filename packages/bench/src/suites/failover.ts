/** What becomes of a client's throughput when the replica that it is on goes, or stands still. */
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type JsonKeyValues, type MeshkvClient } from "@meshkv/client";
import type { Bench } from "../bench.ts";
import { recoveryOf } from "../loads/recovery.ts";
import { type MeshkvServer, startMesh } from "../servers/meshkv.ts";

const CALLERS = 64;
const KEYS_PER_CALLER = 50;
const BEFORE_MS = 2500;
const AFTER_MS = 3500;
/** A figure of nothing would say more than was looked at. */
const RESOLUTION_MS = 10;

/** 64 callers of one client, half of them in sessions, write and read; the replica that answers most of them is lost. */
export async function measureFailover(bench: Bench): Promise<void> {
  const { folder, scale } = bench;
  bench.say("a client whose replica is lost");
  const mesh = await startMesh(folder, 3, "failover");
  try {
    // The first round warms up.
    for (let round = 0; round <= Math.max(2, scale.rounds); round += 1) {
      for (const how of ["SIGKILL", "SIGSTOP"] as const) await measureLoss(bench, mesh, how, round > 0);
    }
  } finally {
    for (const server of mesh) server.signal("SIGCONT");
    for (const server of mesh) await server.end();
  }
}

async function measureLoss(
  bench: Bench,
  mesh: readonly MeshkvServer[],
  how: "SIGKILL" | "SIGSTOP",
  counts: boolean,
): Promise<void> {
  await using kv = await connect(mesh[0]?.address ?? "", { connectTimeout: "30s" });
  while (kv.replicas.filter(({ isWell }) => isWell).length < mesh.length) await sleep(10);
  const load = new Load(kv);
  await sleep(BEFORE_MS);
  const victim = mesh.find(({ address }) => address === load.busiest);
  if (victim === undefined) throw new Error("no replica has answered");
  const lostAtMs = performance.now();
  victim.signal(how);
  await sleep(AFTER_MS);
  await load.end();
  if (how === "SIGSTOP") victim.signal("SIGCONT");
  else {
    await victim.end();
    await victim.start();
  }
  await Promise.all(mesh.map((server) => server.members(mesh.length)));
  if (!counts) return;
  const { gapMs, backMs } = recoveryOf(load.answeredAtMs, lostAtMs);
  const what = how === "SIGKILL" ? "killed" : "stopped";
  bench.add(`client, its replica ${what}: throughput back after`, "ms", Math.max(RESOLUTION_MS, backMs));
  bench.add(`client, its replica ${what}: longest time without any answer`, "ms", gapMs);
  bench.add(`client, its replica ${what}: slowest call`, "ms", load.slowestMs);
}

/** Callers that go on until they are ended; a call that fails ends them all. */
class Load {
  readonly answeredAtMs: number[] = [];
  slowestMs = 0;
  readonly #answers: string[] = [];
  readonly #callers: Promise<unknown>;
  #isOver = false;

  constructor(kv: MeshkvClient) {
    const callers = Array.from({ length: CALLERS }, (_, index) =>
      this.#call(index % 2 === 0 ? kv : kv.session(), index),
    );
    this.#callers = Promise.all(callers).finally(() => (this.#isOver = true));
    // Told when it ends.
    this.#callers.catch(() => undefined);
  }

  /** Who has given most of the latest answers. */
  get busiest(): string | undefined {
    const counts = new Map<string, number>();
    for (const address of this.#answers.slice(-2000)) counts.set(address, (counts.get(address) ?? 0) + 1);
    return [...counts].toSorted(([, a], [, b]) => b - a)[0]?.[0];
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#callers;
  }

  async #call(keys: JsonKeyValues, caller: number): Promise<void> {
    const onAnswer = (address: string): void => void this.#answers.push(address);
    for (let index = 0; !this.#isOver; index += 1) {
      const key = `failover/${caller}/${index % KEYS_PER_CALLER}`;
      for (const call of [() => keys.set(key, { index }, { onAnswer }), () => keys.get(key, { onAnswer })]) {
        const startMs = performance.now();
        await call();
        const endMs = performance.now();
        this.answeredAtMs.push(endMs);
        this.slowestMs = Math.max(this.slowestMs, endMs - startMs);
      }
    }
  }
}
