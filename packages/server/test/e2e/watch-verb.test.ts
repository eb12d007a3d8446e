/** `meshkv watch`, as a user runs it. */
import { timestampMs } from "@meshkv/protocol";
import {
  eventually,
  type ServerProcess,
  spawnMeshkv,
  STAGE_TEST_MS_MAX,
  stageTest as test,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

describe("meshkv watch", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("follows a prefix, goes on when its server restarts, and ends on Ctrl-C", async ({ stage }) => {
    const { servers } = await stage.mesh(1);
    const [server] = servers as [ServerProcess];
    await server.start();
    await server.client.set("a/0", "before");
    const child = spawnMeshkv(["watch", "--prefix", "a/", "--initial", "--ip", server.address], {
      cwd: stage.folder,
    });
    stage.atEnd(async () => void child.kill("SIGKILL"));
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const printed = (text: string): Promise<void> =>
      eventually(`it prints ${text}`, () => expect(output).toContain(text));
    await printed("put\ta/0\tbefore\n");
    await server.client.set("a/1", "one");
    await server.client.set("b/1", "not this");
    await printed("put\ta/1\tone\n");
    await server.kill();
    await server.start();
    await server.client.delete("a/1");
    await server.client.set("a/2", "two");
    await printed("delete\ta/1\nput\ta/2\ttwo\n");
    expect(output).toBe("put\ta/0\tbefore\nput\ta/1\tone\ndelete\ta/1\nput\ta/2\ttwo\n");
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    child.kill("SIGINT");
    expect(await ended).toBe(130);
  });

  test("tells by exit code 6 that there would be a gap, by 2 what makes no sense", async ({ stage }) => {
    const { servers } = await stage.mesh(1, { args: ["--history", "0"] });
    const [server] = servers as [ServerProcess];
    await server.start();
    const child = spawnMeshkv(["watch", "k", "--initial", "--json", "--ip", server.address], {
      cwd: stage.folder,
    });
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const token = await eventually("it has a token", () => {
      const line = JSON.parse(output.split("\n")[0] ?? "") as { type: string; resume: string };
      expect(line.type).toBe("synced");
      return line.resume;
    });
    child.kill("SIGKILL");
    const afterwardsMs = Date.now() + 1000;
    await server.client.set("k", "again");
    await eventually("what came after the token is forgotten", async () => {
      const { horizonTime } = await server.client.status();
      expect(horizonTime === undefined ? 0 : timestampMs(horizonTime)).toBeGreaterThan(afterwardsMs);
    });
    const run = await stage.run("watch", "k", "--resume", token, "--ip", server.address);
    expect([run.exitCode, run.stdout]).toEqual([6, ""]);
    expect((await stage.run("watch")).exitCode).toBe(2);
    expect((await stage.run("watch", "k", "--resume", "x", "--ip", server.address)).exitCode).toBe(2);
  });
});
