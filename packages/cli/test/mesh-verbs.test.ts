import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeReplica } from "./fake-replica.ts";
import { type CliRun, runCli } from "./run-cli.ts";

let replica: FakeReplica;

beforeEach(async () => {
  replica = await FakeReplica.start();
});

afterEach(() => {
  replica.stop();
});

async function run(...args: readonly string[]): Promise<CliRun> {
  return runCli(args, { environment: { MESHKV_IP: replica.address } });
}

describe("status", () => {
  it("tells a person how the replica is", async () => {
    const { stdout, exitCode } = await run("status");
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      `replica  00000000000000aa
state    ready
mesh     default (00000000000000cc)
version  0.1.0, up 1h 2m
data     about 1 key, 1.5 MiB
digest   ${"0".repeat(32)}
clock    -3 ms from the median of the mesh
horizon  none yet, waits for 00000000000000bb

REPLICA           ADDRESS         STATE                                LACKS                  SEEN
00000000000000aa  127.0.0.1:4000  this one                             -                      -
00000000000000bb  127.0.0.1:4001  unreachable, holds the horizon back  12 writes, 1m 30s old  -
`,
    );
  });

  it("tells a program the same, as the message's JSON", async () => {
    const { stdout } = await run("status", "--json");
    expect(stdout.match(/\n/g)).toHaveLength(1);
    expect(JSON.parse(stdout)).toMatchObject({
      replicaId: "00000000000000aa",
      state: "STATE_READY",
      keys: "1",
      uptime: "3725s",
      members: [
        { state: "STATE_SELF" },
        { state: "STATE_UNREACHABLE", lagRecords: "12", holdsHorizon: true },
      ],
    });
  });
});

describe("members", () => {
  it("prints a table, or one JSON object a line", async () => {
    const { stdout } = await run("members");
    expect(stdout.split("\n")).toHaveLength(4);
    expect(stdout).toContain("12 writes, 1m 30s old");
    const lines = (await run("members", "--json")).stdout.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).replicaId)).toEqual(["00000000000000aa", "00000000000000bb"]);
  });

  it("removes one", async () => {
    expect(await run("members", "remove", "00000000000000bb")).toMatchObject({
      exitCode: 0,
      stdout: "removed 00000000000000bb\n",
    });
    expect(replica.removed).toEqual({ replicaId: "00000000000000bb", force: false });
    const { stdout } = await run("members", "remove", "00000000000000bb", "--force", "--json");
    expect(JSON.parse(stdout)).toEqual({ removed: "00000000000000bb" });
    expect(replica.removed).toEqual({ replicaId: "00000000000000bb", force: true });
  });

  it("takes its flags before and after remove", async () => {
    const flags = ["--ip", replica.address];
    const id = "00000000000000bb";
    expect(await runCli(["members", ...flags, "remove", id])).toMatchObject({ exitCode: 0 });
    expect(await runCli(["members", "remove", id, ...flags])).toMatchObject({ exitCode: 0 });
  });

  it("exits with 3 when there is no such member", async () => {
    expect(await run("members", "remove", "x")).toMatchObject({
      exitCode: 3,
      stderr: 'meshkv: no member has the id "x"\n',
    });
  });
});
