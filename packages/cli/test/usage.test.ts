import { describe, expect, it } from "vitest";
import { runCli } from "./run-cli.ts";

const VERBS = "server dev get set del list watch conflicts client status members verify fsck".split(" ");

describe("help", () => {
  it("lists every verb on standard output", async () => {
    const { exitCode, stdout, stderr } = await runCli(["--help"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const listed = [...stdout.matchAll(/^ {2}([a-z]+)\b.* {2}/gm)].map((match) => match[1]);
    expect(listed.filter((name) => name !== "help" && name !== "meshkv")).toEqual(VERBS);
  });

  it.each(VERBS)("of %s has examples that name it", async (verb) => {
    const { exitCode, stdout } = await runCli([verb, "--help"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`Examples:\n {2}meshkv ${verb}\\b`));
    expect((await runCli(["help", verb])).stdout).toBe(stdout);
  });

  it("of members remove has examples", async () => {
    expect((await runCli(["members", "remove", "--help"])).stdout).toContain(
      "Examples:\n  meshkv members remove ",
    );
  });

  it("has no colours and no line that a terminal of 120 columns breaks", async () => {
    for (const verb of VERBS) {
      const { stdout } = await runCli([verb, "--help"], { isTerminal: true });
      expect(stdout).not.toContain("\u001b");
      expect(stdout.split("\n").filter((line) => line.length > 120)).toEqual([]);
    }
  });
});

describe("the version", () => {
  it.each(["-V", "--version"])("is printed by %s", async (flag) => {
    const { exitCode, stdout } = await runCli([flag]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("wrong usage", () => {
  it.each([
    [["wacth", "a"], "unknown command 'wacth'"],
    [["gte", "a"], "Did you mean get?"],
    [["get"], "missing required argument 'key'"],
    [["get", "a", "b"], "too many arguments"],
    [["get", "a", "--nonsense"], "unknown option '--nonsense'"],
    [["get", "a", "--ip"], "argument missing"],
    [["server", "--http", "nowhere"], '--http: no port in "nowhere"'],
    [["server", "--ip", "127.0.0.1:1", "--listen", "127.0.0.1:2"], "cannot be used with"],
    [["client", "--delete", "a"], "unknown option '--delete'"],
    [["dev", "-n", "0"], '-n: "0" is no whole number from 1 to 16'],
    [["dev", "-n", "many"], '-n: "many" is no whole number from 1 to 16'],
    [["dev", "--port", "70000"], '--port: "70000" is no whole number from 1 to 65535'],
    [["dev", "--memory", "--data", "x"], "cannot be used with"],
    [["members", "remove"], "missing required argument 'replica-id'"],
    [["fsck"], "missing required argument 'directory'"],
  ])("%j is explained on standard error, with exit code 2", async (args, text) => {
    const { exitCode, stdout, stderr } = await runCli(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/^meshkv: /);
    expect(stderr).toContain(text);
  });

  it("is to give no verb at all", async () => {
    const { exitCode, stdout, stderr } = await runCli([]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain("Usage: meshkv");
  });
});

describe("server --print-config", () => {
  it("shows every setting with its source, and starts nothing", async () => {
    const args = [
      "server",
      "--ip",
      "127.0.0.1:4711",
      "-v",
      "127.0.0.1:4001",
      "127.0.0.1:4002",
      "--print-config",
    ];
    const { exitCode, stdout, stderr } = await runCli(args, { environment: { MESHKV_MESH: "shop" } });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout.split("\n").map((line) => line.replace(/ +=/, " ="))).toEqual([
      'listen = "127.0.0.1:4711"  # --ip',
      "http = null  # default",
      "httpOrigins = []  # default",
      'peers = ["127.0.0.1:4001","127.0.0.1:4002"]  # peer',
      "data = null  # default",
      "memory = false  # default",
      "advertise = null  # default",
      'mesh = "shop"  # MESHKV_MESH',
      'durability = "local"  # default',
      "insecure = false  # default",
      "verbose = true  # --verbose",
      'valueMax = "1MiB"  # default',
      'memberTimeout = "7d"  # default',
      'logBudget = "4GiB"  # default',
      'conflictRetention = "1d"  # default',
      'history = "1h,256MiB"  # default',
      'maxClockDrift = "1m"  # default',
      "",
    ]);
  });

  it.each([
    ["--ip", "listen"],
    ["--listen", "listen"],
    ["--advertise", "advertise"],
  ])("knows %s", async (flag, name) => {
    const { stdout } = await runCli(["server", flag, "127.0.0.1:4711", "--print-config"]);
    expect(stdout).toMatch(new RegExp(`^${name} += "127.0.0.1:4711" `, "m"));
  });

  it("knows the other flags", async () => {
    const flags = [
      "--data",
      "d",
      "--mesh",
      "m",
      "--durability",
      "relaxed",
      "--insecure",
      "--value-max",
      "2MiB",
    ];
    const more = ["--member-timeout", "1h", "--log-budget", "1GiB", "--conflict-retention", "2d"];
    const { stdout } = await runCli([
      "server",
      ...flags,
      ...more,
      "--max-clock-drift",
      "5s",
      "--print-config",
    ]);
    expect(stdout.match(/# --/g)).toHaveLength(9);
  });

  it.each([
    [["--ip", "127.0.0.1"], "meshkv: --ip: no port in"],
    [["--ip", "0.0.0.0:4000"], 'meshkv: --ip: "0.0.0.0:4000" can be reached from other machines'],
    [["--durability", "fast"], 'meshkv: --durability: "fast" is no durability: write local or relaxed'],
    [["127.0.0.1"], "meshkv: peer: no port in"],
    [["--config", "/nowhere.json"], 'meshkv: --config: cannot read "/nowhere.json"'],
  ])("names bad values: %j", async (args, text) => {
    const { exitCode, stdout, stderr } = await runCli(["server", ...args, "--print-config"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(text);
  });
});
