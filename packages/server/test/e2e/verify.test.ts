/** `meshkv verify` on real servers: it proves that replicas are the same, and finds what was changed behind their backs. */
import { ChangeSet, type Entry, type KeyText, makeRecord } from "@meshkv/core";
import { Database } from "@meshkv/store";
import {
  sameEverywhere,
  type ServerProcess,
  type Stage,
  STAGE_TEST_MS_MAX,
  stageTest as test,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

const KEYS = 1200;

type Pair = [ServerProcess, ServerProcess];

interface Line {
  readonly type: string;
  readonly address: string;
  readonly key?: string;
  readonly outcome?: string;
  readonly version?: string;
  readonly peerVersion?: string;
  readonly digest?: string;
  readonly computedDigest?: string;
  readonly comparedKeys?: string;
}

async function verify(
  stage: Stage,
  { address }: ServerProcess,
  ...args: readonly string[]
): Promise<{ lines: Line[]; exitCode: number | null }> {
  const { stdout, stderr, exitCode } = await stage.run("verify", ...args, "--ip", address, "--json");
  const lines = stdout.split("\n").filter(Boolean);
  if (lines.length === 0) throw new Error(`verify has told nothing: ${stderr}`);
  return { lines: lines.map((line) => JSON.parse(line) as Line), exitCode };
}

/** Changes an entry in the directory of a server that does not run, with right checksums. */
async function alter(
  directory: string,
  key: string,
  change: (entry: Entry) => Entry | undefined,
): Promise<void> {
  const database = await Database.open({ directory });
  try {
    const generation = database.generation(database.currentGeneration);
    const before = generation.entry(key as KeyText);
    if (before === undefined) throw new Error(`there is no ${key}`);
    const group = new ChangeSet(1);
    group.entries.set(key as KeyText, { before, after: change(before) });
    await generation.commit(group);
  } finally {
    await database.close();
  }
}

async function startPair(stage: Stage): Promise<Pair> {
  const { servers } = await stage.mesh(2);
  const [a, b] = servers as Pair;
  for (const server of [a, b]) server.launch();
  await Promise.all([a, b].map((server) => server.ready()));
  const pairs = Array.from({ length: KEYS }, (_, number) => [`key/${number}`, `value ${number}`] as const);
  await a.client.setMany(pairs);
  await sameEverywhere([a, b]);
  return [a, b];
}

describe("verify", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("names the keys that were altered behind the servers' backs", async ({ stage }) => {
    const [a, b] = await startPair(stage);
    const { lines, exitCode } = await verify(stage, a);
    expect(lines.map(({ type }) => type).filter((type) => type !== "progress")).toEqual([
      "check",
      "check",
      "result",
    ]);
    expect(lines.at(-1)).toMatchObject({
      outcome: "OUTCOME_EQUAL",
      comparedKeys: String(KEYS),
      address: b.address,
    });
    expect(exitCode).toBe(0);

    await b.stop();
    // Another value under the same version: no digest of versions can see it.
    await alter(b.data, "key/123", ({ winner, siblings }) => ({
      winner: makeRecord({ ...winner, value: new TextEncoder().encode("altered") }),
      siblings,
    }));
    await alter(b.data, "key/1000", () => undefined);
    await b.start();
    expect(await b.client.get("key/123")).toBe("altered");
    for (const [asked, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const found = await verify(stage, asked, other.address);
      const differences = found.lines.filter(({ type }) => type === "difference");
      expect(differences.map(({ key }) => key).toSorted((x, y) => ((x ?? "") < (y ?? "") ? -1 : 1))).toEqual([
        "key/1000",
        "key/123",
      ]);
      const [missing, altered] = differences;
      expect(altered?.version).toBe(altered?.peerVersion);
      expect(missing?.version === "").toBe(asked === b);
      expect(found.lines.at(-1)).toMatchObject({ outcome: "OUTCOME_DIFFERENT", differingKeys: "2" });
      expect(found.exitCode).toBe(1);
      // The table of b is not what its writes have made of it.
      const isSound = ({ digest, computedDigest }: Line): boolean => digest === computedDigest;
      const checks = found.lines.filter(({ type }) => type === "check");
      expect(checks.find(({ address }) => address === a.address)).toSatisfy(isSound);
      expect(checks.find(({ address }) => address === b.address)).not.toSatisfy(isSound);
    }
    const { stdout } = await stage.run("verify", "--ip", a.address);
    expect(stdout).toMatch(/^differs: key\/123: one version, [0-9a-f]{32}, with another content at /m);
    expect(stdout).toMatch(/^differs: key\/1000: here [0-9a-f]{32}, at 127.0.0.1:\d+ nothing$/m);
    expect(stdout).toMatch(/ DIFFERENT +1199 +2 +0 +not as written /);
  });

  test("finds replicas equal while both are written to, and names a member that is away", async ({
    stage,
  }) => {
    const [a, b] = await startPair(stage);
    let isWriting = true;
    const write = async ({ client, name }: ServerProcess): Promise<void> => {
      for (let number = 0; isWriting; number += 1) {
        await Promise.all([
          client.set("hot", `${name} ${number}`),
          client.set(`key/${(number * 37) % KEYS}`, `${name} ${number}`),
          client.delete(`key/${(number * 41) % KEYS}`),
        ]);
      }
    };
    const writers = [a, b].map(write);
    try {
      for (const server of [a, b]) {
        const { lines, exitCode } = await verify(stage, server);
        expect(lines.filter(({ type }) => type === "difference")).toEqual([]);
        expect(lines.at(-1)?.outcome).toBe("OUTCOME_EQUAL");
        expect(exitCode).toBe(0);
        for (const { digest, computedDigest } of lines.filter(({ type }) => type === "check"))
          expect(computedDigest).toBe(digest);
      }
    } finally {
      isWriting = false;
      await Promise.all(writers);
    }
    await b.kill();
    const { lines, exitCode } = await verify(stage, a);
    expect(lines.at(-1)).toMatchObject({ type: "result", outcome: "OUTCOME_UNREACHABLE" });
    expect(exitCode).toBe(5);
    const wrong = await stage.run("verify", "127.0.0.1:1", "--ip", a.address);
    expect(wrong.exitCode).toBe(3);
  });
});
