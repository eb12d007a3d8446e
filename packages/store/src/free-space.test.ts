import { expect, test } from "vitest";
import { FreeSpace } from "./free-space.ts";

interface Disk {
  readonly space: FreeSpace;
  free: number;
  nowMs: number;
  readings: number;
}

function disk(floorBytes: number): Disk {
  const state: Disk = {
    free: 1_000_000,
    nowMs: 0,
    readings: 0,
    space: new FreeSpace(
      () => {
        state.readings += 1;
        return state.free < 0 ? Promise.reject(new Error("cannot say")) : Promise.resolve(state.free);
      },
      floorBytes,
      () => state.nowMs,
    ),
  };
  return state;
}

test("a reading is used for a while, and less what is written", async () => {
  const state = disk(1000);
  await state.space.refreshIfStale();
  state.space.wrote(100);
  expect(state.space.refreshIfStale()).toBeUndefined();
  expect(state.space.freeBytes).toBe(999_900);
  state.nowMs = 300;
  await state.space.refreshIfStale();
  expect(state.space.freeBytes).toBe(1_000_000);
  expect(state.readings).toBe(2);
});

test("much that is written makes a reading stale", async () => {
  const state = disk(1000);
  await state.space.refresh();
  state.space.wrote(5 * 1024 * 1024);
  await state.space.refreshIfStale();
  expect(state.readings).toBe(2);
});

test("a disk is full below the floor, by what was written since the reading, too", async () => {
  const state = disk(500_000);
  await state.space.refresh();
  expect(state.space.isFull).toBe(false);
  state.space.wrote(500_001);
  expect(state.space.isFull).toBe(true);
  expect(state.space.describe()).toContain("499999 bytes");
});

test("readings that are asked for at once are one", async () => {
  const state = disk(0);
  await Promise.all([state.space.refresh(), state.space.refresh(), state.space.refreshIfStale()]);
  expect(state.readings).toBe(1);
});

test("a file system that cannot say how full it is stops nothing", async () => {
  const state = disk(500_000);
  state.free = -1;
  await state.space.refresh();
  expect(state.space.isFull).toBe(false);
});

test("without a disk there is no limit, and nothing to read", () => {
  const space = new FreeSpace(undefined, 500_000);
  expect(space.refreshIfStale()).toBeUndefined();
  space.wrote(1e12);
  expect(space.isFull).toBe(false);
});
