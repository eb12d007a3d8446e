import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ALL_BUGS } from "../planted/all-bugs.ts";
import { SourceGraph } from "../planted/source-graph.ts";
import type { runSeed } from "../simulator/world.ts";
import { type RecordedWorld, replay, type shrink } from "./shrink.ts";

const RECORDED = new URL("./recorded/", import.meta.url);

function readRecorded(name: string): RecordedWorld {
  return JSON.parse(readFileSync(new URL(name, RECORDED), "utf8")) as RecordedWorld;
}

describe("shrink", () => {
  it("makes the world of a failing seed small, and it fails still", { timeout: 300_000 }, () => {
    const bug = ALL_BUGS.find(({ name }) => name === "last-arrival-wins");
    const graph = new SourceGraph(bug?.patches);
    const broken = graph.load("testing/src/scenarios/shrink.ts") as {
      shrink: typeof shrink;
      replay: typeof replay;
    };
    const world = graph.load("testing/src/simulator/world.ts") as { runSeed: typeof runSeed };
    const options = { isQuick: true, faultKinds: ["cut"] } as const;
    const seeds = Array.from({ length: 20 }, (_, index) => index + 1);
    const seed = seeds.find((candidate) => world.runSeed(candidate, options).violation !== undefined) ?? 1;
    const small = broken.shrink(seed, options);
    expect(small?.violation).toContain("always-one-winner");
    if (small === undefined) return;
    expect(broken.replay(small)).toBe(small.violation);
    expect(replay(small)).toBeUndefined();
    const writes = small.story.filter((line) => line.includes(" writes "));
    expect(writes.length).toBeLessThan(20);
  });
});

describe("worlds that once went wrong", () => {
  it.each(readdirSync(RECORDED))("%s keeps every promise", { timeout: 120_000 }, (name) => {
    expect(replay(readRecorded(name))).toBeUndefined();
  });
});
