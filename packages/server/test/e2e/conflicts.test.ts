/** Replicas that are cut off from each other write the same keys: no write is lost, and every loser can be had again. */
import { durationFromMs, type ListConflictsResponse_Conflict, KeyValue } from "@meshkv/protocol";
import {
  eventually,
  sameEverywhere,
  type ServerProcess,
  type Stage,
  STAGE_TEST_MS_MAX,
  stageTest as test,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

type Three = [ServerProcess, ServerProcess, ServerProcess];

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function text(value: Uint8Array | undefined): string {
  return new TextDecoder().decode(value);
}

async function conflictsOf(
  { client }: ServerProcess,
  includeSettled = false,
): Promise<ListConflictsResponse_Conflict[]> {
  const found: ListConflictsResponse_Conflict[] = [];
  for (let pageToken = ""; ; ) {
    // Small pages, so that tokens take part.
    const page = await client.call(KeyValue.method.listConflicts, { pageToken, pageSize: 3, includeSettled });
    found.push(...page.conflicts);
    if (page.nextPageToken === "") return found;
    pageToken = page.nextPageToken;
  }
}

/** Everything that is said of a key: value, or that it is deleted, and the version. */
function lines(conflicts: readonly ListConflictsResponse_Conflict[]): string[] {
  return conflicts.map(({ winner, losers }) =>
    [winner, ...losers]
      .map(
        (entry) =>
          `${text(entry?.key)}=${entry?.deleted === true ? "-" : text(entry?.value)}@${entry?.version}`,
      )
      .join(" over "),
  );
}

async function sameConflicts(servers: readonly ServerProcess[]): Promise<ListConflictsResponse_Conflict[]> {
  await sameEverywhere(servers);
  return eventually("all list the same conflicts", async () => {
    const [first, ...others] = await Promise.all(servers.map((server) => conflictsOf(server)));
    for (const other of others) expect(lines(other)).toEqual(lines(first ?? []));
    return first ?? [];
  });
}

/** Writes under every kind of key; what each replica writes last of a key is what must not be lost. */
async function writeApart({ name, client }: ServerProcess): Promise<void> {
  await client.set("both/set", `of ${name}`);
  await client.set("both/twice", `first of ${name}`);
  await client.set("both/twice", `of ${name}`);
  await client.setMany([
    ["both/batch/1", `of ${name}`],
    ["both/batch/2", `of ${name}`],
  ]);
  await client.call(KeyValue.method.set, {
    key: bytes("both/brief"),
    value: bytes(`of ${name}`),
    ttl: durationFromMs(3_600_000),
  });
  await client.set("both/agreed", "the same");
  await client.set(`alone/${name}`, `of ${name}`);
}

/** The same through the command line. */
async function restoreByCommand(
  stage: Stage,
  { address }: ServerProcess,
  conflict: ListConflictsResponse_Conflict | undefined,
): Promise<void> {
  const key = text(conflict?.winner?.key);
  const version = conflict?.losers[0]?.version ?? "";
  const run = (...args: readonly string[]) => stage.run("conflicts", ...args, "--ip", address);
  const listed = await run("--json");
  expect(JSON.parse(listed.stdout)).toMatchObject({
    winner: { key, value: "of b", conflicts: 1 },
    losers: [{ key, value: "of a", version, settled: false, deleted: false }],
  });
  const shown = await run("show", key);
  expect(shown.stdout).toMatch(
    new RegExp(`^${key}\n  winner  [0-9a-f]{32}  .*  of b\n  loser   ${version}  .*  of a\n$`),
  );
  expect((await run("show", key.slice(0, -1))).exitCode).toBe(3);
  expect((await run("restore", `${key}/other`, version)).exitCode).toBe(3);
  const restored = await run("restore", key, version, "--json");
  expect(JSON.parse(restored.stdout)).toMatchObject({ restored: version });
  expect((await run("show", key, "--settled")).stdout).toContain(`settled ${version}`);
}

describe("replicas that write the same keys apart", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("show the same winners and losers afterwards, and restore each loser", async ({ stage }) => {
    const mesh = await stage.mesh(3);
    const [a, b, c] = mesh.servers as Three;
    for (const server of [a, b]) server.launch();
    await Promise.all([a, b].map((server) => server.ready()));
    await a.client.set("both/deleted", "before");
    await sameEverywhere([a, b]);
    mesh.network.cut(a.port, b.port);
    await writeApart(a);
    await writeApart(b);
    await a.client.set("both/deleted", "of a");
    // The later write wins: the delete.
    await b.client.delete("both/deleted");
    mesh.network.heal();

    const conflicts = await sameConflicts([a, b]);
    expect(conflicts.map(({ winner }) => text(winner?.key))).toEqual([
      "both/batch/1",
      "both/batch/2",
      "both/brief",
      "both/deleted",
      "both/set",
      "both/twice",
    ]);
    for (const { winner, losers } of conflicts) {
      const values = [winner, ...losers].map((entry) => (entry?.deleted === true ? "-" : text(entry?.value)));
      expect(values).toEqual([winner?.deleted === true ? "-" : "of b", "of a"]);
      expect(losers.every(({ settled }) => !settled)).toBe(true);
      expect(winner?.conflictCount).toBe(1);
    }
    const brief = conflicts[2];
    expect(brief?.losers[0]?.expireTime).toBeDefined();
    expect((await a.client.status()).digest).toBe((await b.client.status()).digest);

    // A replica that joins later has them as well.
    await c.start();
    expect(lines(await sameConflicts([a, b, c]))).toEqual(lines(conflicts));

    // Each is restored through another replica, with what it was; a repeated request does nothing more.
    const servers = [a, b, c];
    for (const [index, { winner, losers }] of conflicts.slice(1).entries()) {
      const { client } = servers[index % 3] ?? a;
      const request = {
        key: winner?.key ?? bytes(""),
        version: losers[0]?.version ?? "",
        concern: { kind: { case: "replicas" as const, value: 3 } },
        requestId: `restore ${index}`,
      };
      const reply = await client.call(KeyValue.method.restoreConflict, request);
      expect(reply.replicas).toBe(3);
      const again = await client.call(KeyValue.method.restoreConflict, request);
      expect(again.version).toBe(reply.version);
      const { entry } = await client.call(KeyValue.method.get, { key: request.key, session: reply.session });
      expect(entry?.version).toBe(reply.version);
      expect(entry?.expireTime).toEqual(losers[0]?.expireTime);
    }
    await restoreByCommand(stage, c, conflicts[0]);
    const state = await sameEverywhere(servers);
    for (const { winner } of conflicts) expect(state.get(text(winner?.key))).toBe("of a");
    await eventually("no conflict is left", async () => {
      for (const server of servers) expect(await conflictsOf(server)).toEqual([]);
    });
    // What was settled can still be had where it was seen.
    const settled = await conflictsOf(a, true);
    expect(settled.map(({ winner }) => text(winner?.key))).toEqual(
      conflicts.map(({ winner }) => text(winner?.key)),
    );
    expect(settled.every(({ losers }) => losers.every((loser) => loser.settled))).toBe(true);
  });

  test("drop losers when retention ends", async ({ stage }) => {
    const mesh = await stage.mesh(2, { args: ["--conflict-retention", "1s", "--history", "0"] });
    const [a, b] = mesh.servers as unknown as [ServerProcess, ServerProcess];
    for (const server of [a, b]) server.launch();
    await Promise.all([a, b].map((server) => server.ready()));
    await sameEverywhere([a, b]);
    mesh.network.cut(a.port, b.port);
    await a.client.set("k", "of a");
    await b.client.set("k", "of b");
    mesh.network.heal();
    expect(await sameEverywhere([a, b])).toEqual(new Map([["k", "of b"]]));
    await eventually("the loser is forgotten", async () => {
      for (const server of [a, b]) expect(await conflictsOf(server, true)).toEqual([]);
    });
  });
});
