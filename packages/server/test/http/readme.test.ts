import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { eventually } from "@meshkv/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type HttpTestServer, startHttpTestServer } from "./http-server.ts";

const README = fileURLToPath(new URL("../../../../README.md", import.meta.url));

const servers: HttpTestServer[] = [];
beforeAll(async () => {
  const first = await startHttpTestServer();
  servers.push(first);
  for (let count = 0; count < 2; count += 1) {
    servers.push(await startHttpTestServer({ peers: [first.server.address] }));
  }
  await eventually("they have met", () => {
    for (const { server } of servers) {
      expect(server.members().filter(({ state }) => state === "connected")).toHaveLength(2);
    }
  });
});
afterAll(() => Promise.all(servers.map((server) => server.stop())));

/** Runs a line as a shell does, with the ports of this test; never through a proxy. */
function shell(line: string): Promise<string> {
  const ported = line.replaceAll(/http:\/\/127\.0\.0\.1:800(\d)/g, (_all, index: string) => {
    return servers[Number(index)]?.base ?? "";
  });
  const child = spawn("sh", ["-c", ported], { env: { PATH: process.env["PATH"], NO_PROXY: "*" } });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve(output));
  });
}

it("the curl lines of the README do what they say, as typed", async () => {
  const section = /## HTTP\n[\s\S]*?```sh\n([\s\S]*?)```/.exec(await readFile(README, "utf8"))?.[1] ?? "";
  const lines = section.replaceAll("\\\n", " ").split("\n").filter(Boolean);
  expect(lines).toHaveLength(8);
  const expected = [
    /^\{"version":"[0-9a-f]{32}","replicas":1\}$/,
    /^hello$/,
    /^HTTP\/1.1 412 [\s\S]*"code":"CONDITION_FAILED"/,
    /"value":"hello","encoding":"utf8"/,
    /"version"/,
    /"key":"cart\/42"/,
    /^\{"versions":\["[0-9a-f]{32}","[0-9a-f]{32}"\],"replicas":1\}$/,
    /"deleted":1/,
  ];
  for (const [index, line] of lines.entries()) {
    // What was written on one replica is on the others a moment later.
    await eventually(line, async () => expect(await shell(line)).toMatch(expected[index] ?? /never/));
  }
});
