/** One flipped bit in a file of the engine: no wrong value is served or replicated, and the replica repairs itself. */
import {
  engineFiles,
  eventually,
  flipBit,
  Ledger,
  newestLog,
  sameEverywhere,
  type ServerProcess,
  type Stage,
  STAGE_TEST_MS_MAX,
  stageTest as test,
} from "@meshkv/testing";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, onTestFailed } from "vitest";

const KEYS = 300;

function valueOf(number: number): string {
  return `value ${number} `.repeat(60);
}

/** Two servers with the same keys; the second is stopped, and has tables as well as a log. */
async function prepare(stage: Stage): Promise<{ a: ServerProcess; b: ServerProcess; ledger: Ledger }> {
  const { servers } = await stage.mesh(2);
  const [a, b] = servers as [ServerProcess, ServerProcess];
  for (const server of [a, b]) server.launch();
  await Promise.all([a, b].map((server) => server.ready()));
  const ledger = new Ledger();
  const pairs = Array.from({ length: KEYS }, (_, number) => [`key/${number}`, valueOf(number)] as const);
  await b.client.setMany(pairs, 50);
  for (const [key, value] of pairs) ledger.note(key, value);
  await sameEverywhere([a, b]);
  // Opening turns the old log into tables.
  await b.stop();
  await b.start();
  for (let number = 0; number < 20; number += 1) await ledger.set(b.client, `late/${number}`, "in the log");
  await sameEverywhere([a, b]);
  return { a, b, ledger };
}

/** Starts the damaged server and reads everything again and again: what it serves must be right. */
async function expectRepair(ledger: Ledger, a: ServerProcess, b: ServerProcess): Promise<void> {
  await b.start();
  for (let round = 0; round < 3; round += 1) {
    const state = await b.client.list().catch(() => new Map<string, string>());
    const wrong = ledger.problems(state).filter((line) => !line.includes("holds nothing"));
    expect(wrong).toEqual([]);
    for (let number = 0; number < KEYS; number += 29) {
      const value = await b.client.get(`key/${number}`).catch(() => undefined);
      expect([undefined, valueOf(number)]).toContain(value);
    }
  }
  expect(ledger.problems(await sameEverywhere([a, b]))).toEqual([]);
}

/** It may have lost writes of its own, so it must not go on under its name. */
async function expectNewIdentity({ client }: ServerProcess, replicaId: string): Promise<void> {
  await eventually("it has rejoined", async () => {
    expect((await client.status()).replicaId).not.toBe(replicaId);
  });
}

/** Flips a bit somewhere in the first part of a file; which one is told when the test fails. */
async function flip({ data }: ServerProcess, name: string | undefined, share: number): Promise<void> {
  const place = await flipBit(data, name ?? "", Math.random() * share);
  onTestFailed(() => void process.stderr.write(`flipped: ${place}\n`));
}

/** Flips a bit somewhere in a table but for its footer, in which there are bits that mean nothing. */
async function flipInTable(server: ServerProcess): Promise<void> {
  const [name] = await engineFiles(server.data, ".ldb");
  const { size } = await stat(join(server.data, "engine", name ?? ""));
  await flip(server, name, (size - TABLE_FOOTER_BYTES) / size);
}

const TABLE_FOOTER_BYTES = 48;

describe("a flipped bit", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("in a table, after a crash", async ({ stage }) => {
    const { a, b, ledger } = await prepare(stage);
    const { replicaId } = await b.client.status();
    await b.kill();
    await flipInTable(b);
    await expectRepair(ledger, a, b);
    await expectNewIdentity(b, replicaId);
  });

  test("in a table, after an orderly stop", async ({ stage }) => {
    const { a, b, ledger } = await prepare(stage);
    const { replicaId } = await b.client.status();
    await b.stop();
    await flipInTable(b);
    await expectRepair(ledger, a, b);
    await expectNewIdentity(b, replicaId);
  });

  test("in the log, amid what was acknowledged", async ({ stage }) => {
    const { a, b, ledger } = await prepare(stage);
    const { replicaId } = await b.client.status();
    await b.kill();
    const { name } = await newestLog(b.data);
    await flip(b, name, 0.5);
    await expectRepair(ledger, a, b);
    await expectNewIdentity(b, replicaId);
  });
});
