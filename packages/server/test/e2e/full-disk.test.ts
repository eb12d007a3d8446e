/** A disk that fills up: writes are refused by name, reads go on, and nothing that was acknowledged is lost. */
import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StatusResponse_State } from "@meshkv/protocol";
import {
  eventually,
  Ledger,
  mountSmallDisk,
  sameEverywhere,
  type ServerProcess,
  STAGE_TEST_MS_MAX,
  stageTest as test,
  whyNoSmallDisk,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

const MIB = 1024 * 1024;
const why = whyNoSmallDisk();
const skipped = why === undefined ? "" : ` (skipped: ${why})`;

describe.skipIf(why !== undefined)(`a full disk${skipped}`, { timeout: STAGE_TEST_MS_MAX }, () => {
  test("refuses writes, serves reads, and goes on when there is room again", async ({ stage }) => {
    const { servers } = await stage.mesh(2);
    const [a, b] = servers as [ServerProcess, ServerProcess];
    const disk = await mountSmallDisk(stage, 160);
    // Somebody else's file, which somebody will remove.
    const ballast = join(disk, "ballast");
    await writeFile(ballast, Buffer.alloc(64 * MIB, 1));
    a.data = join(disk, "a");
    for (const server of [a, b]) server.launch();
    await Promise.all([a, b].map((server) => server.ready()));
    const ledger = new Ledger();
    // Nothing that the engine could compress.
    const value = randomBytes((MIB * 3) / 16).toString("base64");

    // The engine still tidies up: there may be room again for a moment.
    let number = 0;
    await eventually("the disk is full for good", async () => {
      for (let code: string | undefined; code === undefined; number += 1) {
        code = (await ledger.set(a.client, `fill/${number}`, `${number} ${value}`))?.code;
        expect([undefined, "STORAGE_FULL"]).toContain(code);
      }
      const run = await stage.run("set", "one", "more", "--ip", a.address);
      if (run.exitCode === 0) ledger.note("one", "more");
      expect(run).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("disk") });
      expect((await a.client.status()).state).toBe(StatusResponse_State.STORAGE_FULL);
    });
    expect(ledger.acknowledged).toBeGreaterThan(20);
    expect(await a.client.get("fill/0")).toBe(`0 ${value}`);

    // The other is not harmed, and keeps what the full one cannot take.
    for (let number = 0; number < 10; number += 1) await ledger.set(b.client, `b/${number}`, value);

    await rm(ballast);
    await eventually("a takes writes again", async () => {
      expect(await ledger.set(a.client, "after", "room")).toBeUndefined();
    });
    await a.kill();
    await a.start();
    expect(await a.client.get("after")).toBe("room");
    expect(ledger.problems(await sameEverywhere([a, b]))).toEqual([]);
  });

  test("is not filled by what is only kept for watchers", async ({ stage }) => {
    const { servers } = await stage.mesh(2);
    const [a, b] = servers as [ServerProcess, ServerProcess];
    a.data = join(await mountSmallDisk(stage, 160), "a");
    for (const server of [a, b]) server.launch();
    await Promise.all([a, b].map((server) => server.ready()));
    const ledger = new Ledger();
    // Three times the disk as rows, over and over into a few keys: all of it fits into the history of one hour and 256 MiB.
    for (let number = 0; number < 256; number += 1) {
      const value = `${number} ${randomBytes((MIB * 3) / 4 - 100).toString("base64")}`;
      await eventually("it is written, at once or when there is room", async () => {
        expect(await ledger.set(a.client, `hot/${number % 8}`, value)).toBeUndefined();
      });
    }
    // It may be full for a moment, until what is gone has been given back.
    await eventually("it has room", async () => {
      expect((await a.client.status()).state).toBe(StatusResponse_State.READY);
    });
    expect(ledger.problems(await sameEverywhere([a, b]))).toEqual([]);
  });
});
