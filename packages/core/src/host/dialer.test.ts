import { describe, expect, it } from "vitest";
import { Dialer } from "./dialer.ts";

const LONGEST_MS = 3000;

/** Fails again and again; returns the pauses in between. */
function pausesOf(dialer: Dialer, failures: number): number[] {
  let nowMs = 0;
  return Array.from({ length: failures }, () => {
    dialer.ended("a", nowMs);
    const beganMs = nowMs;
    while (dialer.due(["a"], nowMs).length === 0) nowMs += 1;
    return nowMs - beganMs;
  });
}

describe("Dialer", () => {
  it("dials a wanted address at once, and only once while it is busy", () => {
    const dialer = new Dialer(() => 0);
    expect(dialer.due(["a", "b"], 0)).toEqual(["a", "b"]);
    expect(dialer.due(["a", "b"], 1_000_000)).toEqual([]);
    expect(dialer.due(["a", "c"], 1_000_000)).toEqual(["c"]);
  });

  it("doubles its pauses up to the longest", () => {
    const dialer = new Dialer(() => 0.999_999);
    dialer.due(["a"], 0);
    expect(pausesOf(dialer, 8)).toEqual([100, 200, 400, 800, 1600, 3000, 3000, 3000]);
  });

  it("draws each pause from the upper half of its range", () => {
    const dialer = new Dialer(() => 0);
    dialer.due(["a"], 0);
    expect(pausesOf(dialer, 8)).toEqual([50, 100, 200, 400, 800, 1500, 1500, 1500]);
  });

  it("begins with a short pause again after a link that worked", () => {
    const dialer = new Dialer(() => 0);
    dialer.due(["a"], 0);
    pausesOf(dialer, 8);
    dialer.succeeded("a");
    expect(pausesOf(dialer, 2)).toEqual([50, 100]);
  });

  it("keeps addresses apart", () => {
    const dialer = new Dialer(() => 0);
    dialer.due(["a", "b"], 0);
    dialer.ended("a", 0);
    expect(dialer.due(["a", "b"], 49)).toEqual([]);
    expect(dialer.due(["a", "b"], 50)).toEqual(["a"]);
  });

  it("goes on dialling when its clock was set back", () => {
    const dialer = new Dialer(() => 0.5);
    dialer.due(["a"], 10_000_000);
    dialer.ended("a", 10_000_000);
    expect(dialer.due(["a"], 10_000_000 - LONGEST_MS)).toEqual(["a"]);
  });

  it("knows nothing of addresses that it never dialled", () => {
    const dialer = new Dialer(() => 0);
    dialer.ended("a", 0);
    dialer.succeeded("a");
    expect(dialer.due(["a"], 0)).toEqual(["a"]);
  });
});
