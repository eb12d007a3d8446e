import { MeshkvError } from "@meshkv/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeReplica } from "./fake-replica.ts";
import { type CliRun, type CliRunOptions, runCli } from "./run-cli.ts";

let replica: FakeReplica;

beforeEach(async () => {
  replica = await FakeReplica.start();
});

afterEach(() => {
  replica.stop();
});

/** Runs a client verb against the fake replica. */
async function run(args: readonly string[], options: CliRunOptions = {}): Promise<CliRun> {
  const environment = { MESHKV_IP: replica.address, ...options.environment };
  return runCli(args, { ...options, environment });
}

const NOT_UTF8 = new Uint8Array([0xff, 0x00, 0x0a, 0xc3]);
const NOT_UTF8_BASE64 = "/wAKww==";

describe("get", () => {
  it("writes the raw value, with a newline only on a terminal", async () => {
    replica.put("greeting", "grüße\n✓");
    expect(await run(["get", "greeting"])).toEqual({
      exitCode: 0,
      stdout: "grüße\n✓",
      stdoutBytes: Buffer.from("grüße\n✓"),
      stderr: "",
    });
    expect(await run(["get", "greeting"], { isTerminal: true })).toMatchObject({ stdout: "grüße\n✓\n" });
  });

  it("writes values that are no text as they are", async () => {
    replica.put("bytes", NOT_UTF8);
    expect((await run(["get", "bytes"])).stdoutBytes).toEqual(Buffer.from(NOT_UTF8));
  });

  it("exits with 3 when there is no such key", async () => {
    expect(await run(["get", "missing\n"])).toMatchObject({
      exitCode: 3,
      stdout: "",
      stderr: 'meshkv: there is no key "missing\\n"\n',
    });
  });

  it("prints one JSON object", async () => {
    const { version } = replica.put("a", "1", { conflictCount: 2 });
    const { stdout, exitCode } = await run(["get", "a", "--json"]);
    expect(exitCode).toBe(0);
    expect(stdout.endsWith("}\n")).toBe(true);
    expect(JSON.parse(stdout)).toEqual({
      key: "a",
      value: "1",
      encoding: "utf8",
      version,
      expireTime: null,
      conflicts: 2,
      updateTime: "2026-01-02T03:04:05.000Z",
      origin: "00000000000000aa",
    });
  });

  it("falls back to base64 in JSON where something is no text", async () => {
    replica.put("a", NOT_UTF8);
    const { stdout } = await run(["get", "a", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ key: "YQ==", value: NOT_UTF8_BASE64, encoding: "base64" });
  });

  it("takes and prints base64 when asked to", async () => {
    replica.put(NOT_UTF8, NOT_UTF8);
    expect((await run(["get", NOT_UTF8_BASE64, "--base64"])).stdout).toBe(`${NOT_UTF8_BASE64}\n`);
    expect((await run(["get", "_wAKww", "--base64"])).stdout).toBe(`${NOT_UTF8_BASE64}\n`);
    expect(await run(["get", "not base64!", "--base64"])).toMatchObject({
      exitCode: 2,
      stderr: 'meshkv: the key is not base64: "not base64!"\n',
    });
  });

  it("refuses a key that the shell's encoding has spoilt", async () => {
    expect(await run(["get", "a\ufffdb"])).toMatchObject({
      exitCode: 2,
      stderr: "meshkv: the key is not UTF-8: give it in base64, with --base64\n",
    });
  });
});

describe("set", () => {
  it("writes a key and prints the version", async () => {
    const { stdout, stderr, exitCode } = await run(["set", "grüße", "1=2"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^OK [0-9a-f]{32}\n$/);
    expect(stderr).toBe("");
    expect(replica.sets).toHaveLength(1);
    expect(Buffer.from(replica.sets[0]?.key ?? []).toString()).toBe("grüße");
    expect(Buffer.from(replica.sets[0]?.value ?? []).toString()).toBe("1=2");
  });

  it("reads - from standard input, whatever it is", async () => {
    expect(await run(["set", "a", "-"], { stdin: NOT_UTF8 })).toMatchObject({ exitCode: 0 });
    expect(Buffer.from(replica.sets[0]?.value ?? [])).toEqual(Buffer.from(NOT_UTF8));
    await run(["set", "YQ==", "-", "--base64"], { stdin: `${NOT_UTF8_BASE64}\n` });
    expect(Buffer.from(replica.sets[1]?.value ?? [])).toEqual(Buffer.from(NOT_UTF8));
  });

  it("takes an empty value, and values that look like numbers", async () => {
    await run(["set", "a", ""]);
    await run(["set", "a", "-1.5"]);
    await run(["set", "--", "-k", "--v"]);
    expect(replica.sets.map(({ value }) => Buffer.from(value).toString())).toEqual(["", "-1.5", "--v"]);
  });

  it("sends the time to live", async () => {
    await run(["set", "a", "1", "--ttl", "1.5s"]);
    expect(replica.sets[0]?.ttl).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
    expect(await run(["set", "a", "1", "--ttl", "60"])).toMatchObject({
      exitCode: 2,
      stderr:
        'meshkv: --ttl: "60" is not a duration: write a number and a unit (ms, s, m, h, d), such as 60s\n',
    });
  });

  it("sends conditions, and exits with 4 and the current version when they do not hold", async () => {
    expect(await run(["set", "a", "1", "--if-absent"])).toMatchObject({ exitCode: 0 });
    const version = replica.entries.get("a")?.version ?? "";
    expect(await run(["set", "a", "2", "--if-absent"])).toEqual({
      exitCode: 4,
      stdout: "",
      stdoutBytes: Buffer.alloc(0),
      stderr: `meshkv: the condition does not hold (current version: ${version})\n`,
    });
    expect(await run(["set", "a", "3", "--if-version", version])).toMatchObject({ exitCode: 0 });
    expect(await run(["set", "a", "4", "--if-version", version])).toMatchObject({ exitCode: 4 });
    expect(await run(["set", "a", "4", "--if-version", version, "--if-absent"])).toMatchObject({
      exitCode: 2,
    });
  });

  it("prints JSON, for errors too", async () => {
    const done = await run(["set", "a", "1", "--json"]);
    expect(JSON.parse(done.stdout)).toEqual({ version: replica.entries.get("a")?.version, replicas: 1 });
    const failed = await run(["set", "a", "1", "--if-absent", "--json"]);
    expect(failed.stdout).toBe("");
    expect(JSON.parse(failed.stderr)).toEqual({
      error: "CONDITION_FAILED",
      message: expect.stringContaining("does not hold"),
      version: replica.entries.get("a")?.version,
    });
  });
});

describe("del", () => {
  it("deletes a key, and says how many there were", async () => {
    replica.put("a", "1");
    expect(await run(["del", "a"])).toMatchObject({ exitCode: 0, stdout: "deleted 1\n" });
    expect(await run(["del", "a"])).toMatchObject({ exitCode: 0, stdout: "deleted 0\n" });
  });

  it("deletes a prefix, or everything", async () => {
    for (const key of ["s/1", "s/2", "t"]) replica.put(key, "");
    const { stdout } = await run(["del", "--prefix", "s/", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ deleted: 2 });
    expect([...replica.entries.keys()]).toEqual(["t"]);
    expect(await run(["del", "--all"])).toMatchObject({ stdout: "deleted 1\n" });
    expect(await run(["del", "--prefix", "", "--all"])).toMatchObject({ stdout: "deleted 0\n" });
  });

  it.each([
    [[], "say what to delete"],
    [["--prefix", ""], "an empty prefix means every key"],
    [["a", "--all"], "give a key, or --prefix, or --all"],
    [["a", "--prefix", "b"], "give a key, or --prefix, or --all"],
    [["--prefix", "b", "--all"], "--all deletes every key"],
  ])("refuses %j before anything is sent", async (args, text) => {
    replica.put("a", "1");
    const { exitCode, stderr } = await run(["del", ...args]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(text);
    expect(replica.calls).toEqual([]);
  });
});

describe("list", () => {
  beforeEach(() => {
    for (const key of ["a", "b/1", "b/2", "b/3", "b/4", "c"]) replica.put(key, `value of ${key}`);
  });

  it("prints every page in order", async () => {
    const { stdout, stderr } = await run(["list"]);
    const lines = ["a", "b/1", "b/2", "b/3", "b/4", "c"].map((key) => `${key}\tvalue of ${key}\n`);
    expect(stdout).toBe(lines.join(""));
    expect(stderr).toBe("");
    expect(replica.calls).toHaveLength(2);
  });

  it.each([
    [["b/"], "b/1 b/2 b/3 b/4"],
    [["--reverse"], "c b/4 b/3 b/2 b/1 a"],
    [["--limit", "4"], "a b/1 b/2 b/3"],
    [["--limit", "0"], ""],
    [["--start", "b/2", "--end", "c"], "b/2 b/3 b/4"],
    [["b/", "--reverse", "--limit", "2"], "b/4 b/3"],
    [["nothing"], ""],
  ])("selects by %j", async (args, keys) => {
    const { stdout, exitCode } = await run(["list", "--keys-only", ...args]);
    expect(exitCode).toBe(0);
    expect(stdout.trimEnd().split("\n").join(" ")).toBe(keys);
  });

  it("refuses a limit that is no count", async () => {
    expect(await run(["list", "--limit", "-1"])).toMatchObject({ exitCode: 2 });
    expect(await run(["list", "--limit", "1.5"])).toMatchObject({
      exitCode: 2,
      stderr: 'meshkv: --limit: "1.5" is no count: write a whole number\n',
    });
  });

  it("keeps lines and terminals whole", async () => {
    replica.entries.clear();
    replica.put("a\tb", "two\nlines\\ \u001b[31m\u009b \u2028 grüße ✓");
    replica.put("c", NOT_UTF8);
    const { stdout } = await run(["list"]);
    expect(stdout).toBe(
      String.raw`a\tb` +
        "\t" +
        String.raw`two\nlines\\ \x1b[31m\u009b \u2028 grüße ✓` +
        "\n" +
        `c\t${String.raw`\xff\x00\n\xc3`}\n`,
    );
    expect((await run(["list", "c", "--base64"])).stdout).toBe("");
    expect((await run(["list", "Yw==", "--base64"])).stdout).toBe(`Yw==\t${NOT_UTF8_BASE64}\n`);
  });

  it("prints one JSON object a line", async () => {
    const lines = (await run(["list", "b/", "--json"])).stdout.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).key)).toEqual(["b/1", "b/2", "b/3", "b/4"]);
    const keysOnly = JSON.parse((await run(["list", "a", "--json", "--keys-only"])).stdout);
    expect(keysOnly).toMatchObject({ key: "a", encoding: "utf8" });
    expect(keysOnly).not.toHaveProperty("value");
  });
});

describe("client, with the flags of the original", () => {
  it("runs them in the order given", async () => {
    const flags = ["--get", "a", "--set", "a=1", "--get", "a", "--set", "a=b=c", "--list", "--set", "d="];
    const { stdout, stderr, exitCode } = await run(["client", ...flags]);
    expect(replica.calls).toEqual(["Get", "Set", "Get", "Set", "List", "Set"]);
    expect(stdout).toBe("a=1\na=b=c\n");
    expect(stderr).toBe(`meshkv: there is no key "a" at ${replica.address}\n`);
    expect(exitCode).toBe(3);
    expect([...replica.entries.keys()]).toEqual(["a", "d"]);
  });

  it("takes the original's command line", async () => {
    const key = "3479d894-0f34-4a52-8d3b-1f2d6a3c9e10";
    const { stdout, stderr, exitCode } = await runCli([
      "client",
      "--set",
      `${key}=this_is_a_value`,
      "--list",
      "-v",
      "--ip",
      replica.address,
    ]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(`${key}=this_is_a_value\n`);
    const version = replica.entries.get(key)?.version;
    expect(stderr).toBe(
      `set "${key}" at ${replica.address}: version ${version}\nlist at ${replica.address}: 1 key\n`,
    );
  });

  it("prints JSON that says which operation it belongs to", async () => {
    const { stdout } = await run(["client", "--set", "a=1", "--get", "a", "--list", "--json"]);
    const objects = stdout.trimEnd().split("\n");
    expect(objects.map((line) => JSON.parse(line).operation)).toEqual(["set", "get", "list"]);
    expect(JSON.parse(objects[1] ?? "")).toMatchObject({ key: "a", value: "1", encoding: "utf8" });
  });

  it("stops at the first failure", async () => {
    replica.refusal = new MeshkvError("STORAGE_FULL", "the disk is full");
    const { exitCode, stderr } = await run(["client", "--set", "a=1", "--get", "a"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: "meshkv: the disk is full\n" });
    expect(replica.calls).toEqual(["Set"]);
  });

  it("refuses flags that mean nothing, before anything is sent", async () => {
    expect(await run(["client"])).toMatchObject({ exitCode: 2 });
    expect(await run(["client", "--list", "--set", "a"])).toMatchObject({
      exitCode: 2,
      stderr: 'meshkv: --set: no = in "a": write KEY=VALUE\n',
    });
    expect(replica.calls).toEqual([]);
  });
});
