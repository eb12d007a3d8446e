/** The command as a process: what only a process can show. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { builtCli, ownNumber } from "@meshkv/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FakeReplica } from "./fake-replica.ts";

const BUILD_MS_MAX = 300_000;
const RUN_MS_MAX = 240_000;

let script: string;
let folder: string;
let replica: FakeReplica;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  script = await builtCli();
  folder = mkdtempSync(join(tmpdir(), "meshkv-cli-"));
}, BUILD_MS_MAX);

beforeEach(async () => {
  replica = await FakeReplica.start();
});

afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  replica.stop();
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  /** Standard output and standard error, one after the other. */
  readonly output: () => { readonly stdout: string; readonly stderr: string };
  /** The exit code; or the signal that ended the process. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

function start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Run {
  const child = spawn(process.execPath, [script, ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"], MESHKV_IP: replica.address, ...environment },
  });
  children.add(child);
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  child.stdout.on("data", (chunk: Buffer) => chunks.stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.stderr.push(chunk));
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once("close", (code, signal) => {
      children.delete(child);
      resolve(signal ?? code);
    });
  });
  const output = (): { stdout: string; stderr: string } => ({
    stdout: Buffer.concat(chunks.stdout).toString(),
    stderr: Buffer.concat(chunks.stderr).toString(),
  });
  return { child, output, ended };
}

/** Where `dev` begins to look for free ports, and 4000 above for those of HTTP: no other process of tests looks there. */
async function firstPort(): Promise<string> {
  return String(5000 + 10 * (await ownNumber()));
}

/** Resolves as soon as standard error contains the text; rejects when the process ends before. */
async function said({ child, output, ended }: Run, text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (output().stderr.includes(text)) resolve();
    };
    child.stderr?.on("data", look);
    void ended.then(() => reject(new Error(`ended before it said "${text}": ${output().stderr}`)));
    look();
  });
}

describe("the process of a client verb", { timeout: RUN_MS_MAX }, () => {
  it("reads a value from standard input and writes it to standard output, byte for byte", async () => {
    const value = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256));
    const set = start(["set", "bytes", "-"]);
    set.child.stdin?.end(value);
    expect(await set.ended).toBe(0);
    expect(Buffer.from(replica.entries.get("bytes")?.value ?? []).equals(value)).toBe(true);
    const get = start(["get", "bytes"]);
    const chunks: Buffer[] = [];
    get.child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
    expect(await get.ended).toBe(0);
    expect(Buffer.concat(chunks).equals(value)).toBe(true);
  });

  it("ends with the exit code of its error", async () => {
    const run = start(["get", "missing"]);
    expect(await run.ended).toBe(3);
    expect(run.output()).toEqual({ stdout: "", stderr: 'meshkv: there is no key "missing"\n' });
  });

  it("ends quietly when nobody reads its output any more", async () => {
    for (let index = 0; index < 500; index += 1) replica.put(`key ${index}`, "x".repeat(2000));
    const run = start(["list"]);
    run.child.stdout?.once("data", () => run.child.stdout?.destroy());
    expect(await run.ended).toBe(0);
    expect(run.output().stderr).toBe("");
  });

  it("ends with 130 on Ctrl-C", async () => {
    replica.barrier = new Promise(() => undefined);
    const called = replica.nextCall();
    const run = start(["get", "a"]);
    await called;
    run.child.kill("SIGINT");
    expect(await run.ended).toBe(130);
    expect(run.output()).toEqual({ stdout: "", stderr: "" });
  });
});

describe("the process of a server", { timeout: RUN_MS_MAX }, () => {
  it("takes the original's command line, serves, and ends in order on SIGTERM", async () => {
    const data = join(folder, "data");
    const args = ["server", "--ip", "127.0.0.1:0", "--data", data, "-v", "127.0.0.1:1", "127.0.0.1:2"];
    const run = start(args);
    await said(run, "Ctrl-C stops it.");
    const address = /gRPC +(\S+)/.exec(run.output().stderr)?.[1] ?? "";
    const set = start(["set", "greeting", "hello", "--ip", address]);
    expect(await set.ended).toBe(0);
    const locked = start(["server", "--ip", "127.0.0.1:0", "--data", data]);
    expect(await locked.ended).toBe(1);
    expect(locked.output().stderr).toContain(data);
    const taken = start(["server", "--ip", address, "--memory"]);
    expect(await taken.ended).toBe(1);
    expect(taken.output().stderr).toContain(address);
    run.child.kill("SIGTERM");
    expect(await run.ended).toBe(0);
    expect(run.output().stdout).toBe("");
    const check = start(["fsck", data]);
    expect(await check.ended).toBe(0);
  });
});

describe("the process of dev", { timeout: RUN_MS_MAX }, () => {
  it("starts a mesh, says how to use it, and takes its servers with it", async () => {
    const run = start(["dev", "-n", "2", "--memory", "--port", await firstPort()], {
      MESHKV_MESH: "dev-test",
    });
    await said(run, "A mesh of 2 replicas is up");
    const addresses = [...run.output().stderr.matchAll(/\[\d\] {2}(127\.0\.0\.1:\d+)/g)].map(
      (match) => match[1] ?? "",
    );
    expect(addresses).toHaveLength(2);
    const set = start(["set", "greeting", "hello", "--ip", addresses[0] ?? ""]);
    expect(await set.ended).toBe(0);
    run.child.kill("SIGINT");
    expect(await run.ended).toBe(0);
    const get = start(["get", "greeting", "--ip", addresses[0] ?? "", "--ip", addresses[1] ?? ""]);
    expect(await get.ended).toBe(5);
  });

  it("leaves no server behind when it is killed", async () => {
    const run = start(["dev", "-n", "1", "--memory", "--port", await firstPort()]);
    await said(run, "A replica is up");
    const address = /\[1\] {2}(127\.0\.0\.1:\d+)/.exec(run.output().stderr)?.[1] ?? "";
    run.child.kill("SIGKILL");
    // The servers hold the ends of its output: it is closed when the last of them has ended.
    expect(await run.ended).toBe("SIGKILL");
    const get = start(["get", "greeting", "--ip", address]);
    expect(await get.ended).toBe(5);
  });
});
