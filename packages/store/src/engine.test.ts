import { rm, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { engineContract } from "@meshkv/testing";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../test/temporary.ts";
import { EngineLockedError, isEngineLocked, openClassicEngine, openMemoryEngine } from "./engine.ts";

const OPTIONS = { writeBufferBytes: 1024 * 1024, blockCacheBytes: 1024 * 1024 };

engineContract("memory-level", async () => {
  const engine = await openMemoryEngine();
  return { engine, dispose: () => engine.close() };
});

engineContract("classic-level", async () => {
  const directory = await mkdtemp(join(tmpdir(), "meshkv-engine-"));
  let engine = await openClassicEngine(directory, OPTIONS);
  return {
    engine,
    reopen: async () => {
      await engine.close();
      engine = await openClassicEngine(directory, OPTIONS);
      return engine;
    },
    dispose: async () => {
      await engine.close();
      await rm(directory, { recursive: true });
    },
  };
});

test("a directory is open once in a process, and asking does not drop its lock", async () => {
  const directory = await temporaryDirectory();
  const engine = await openClassicEngine(directory, OPTIONS);
  await expect(openClassicEngine(directory, OPTIONS)).rejects.toThrow(EngineLockedError);
  expect(await isEngineLocked(directory)).toBe(true);
  await engine.close();
  expect(await isEngineLocked(directory)).toBe(false);
  await (await openClassicEngine(directory, OPTIONS)).close();
});
