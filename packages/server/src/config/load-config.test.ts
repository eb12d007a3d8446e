import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { MeshkvError } from "@meshkv/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ConfigInput, type LoadedConfig, loadConfig } from "./load-config.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "meshkv-config-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function file(content: unknown, name = "meshkv.json"): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

async function load(input: Partial<ConfigInput>): Promise<LoadedConfig> {
  return loadConfig({ flags: {}, environment: {}, ...input });
}

async function problemsOf(input: Partial<ConfigInput>): Promise<string[]> {
  try {
    await load(input);
  } catch (error) {
    if (error instanceof MeshkvError && error.code === "INVALID_ARGUMENT") return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("defaults", () => {
  it("are those of the documentation", async () => {
    expect((await load({})).config).toEqual({
      listen: { host: "127.0.0.1", port: 4000 },
      http: { host: "127.0.0.1", port: 8000, isDefault: true },
      httpOrigins: [],
      peers: [],
      data: resolve("meshkv-data/4000"),
      advertise: undefined,
      mesh: "default",
      durability: "local",
      insecure: false,
      verbose: false,
      valueBytesMax: 1_048_576,
      memberTimeoutMs: 604_800_000,
      logBudgetBytes: 4_294_967_296,
      conflictRetentionMs: 86_400_000,
      historyMs: 3_600_000,
      historyBytes: 268_435_456,
      maxClockDriftMs: 60_000,
    });
    expect((await load({})).warnings).toEqual([]);
    expect(new Set((await load({})).settings.map(({ source }) => source))).toEqual(new Set(["default"]));
  });

  it("put the data where the port says", async () => {
    expect((await load({ flags: { listen: "127.0.0.1:4711" } })).config.data).toBe(
      resolve("meshkv-data/4711"),
    );
  });
});

describe("precedence", () => {
  it("is flags, environment, file, defaults, and every value knows its source", async () => {
    const configFile = file({ listen: "127.0.0.1:1", mesh: "file", durability: "relaxed", valueMax: "2MiB" });
    const environment = { MESHKV_LISTEN: "127.0.0.1:2", MESHKV_MESH: "environment" };
    const { config, settings } = await load({ flags: { listen: "127.0.0.1:3" }, environment, configFile });
    expect(config).toMatchObject({
      listen: { port: 3 },
      mesh: "environment",
      durability: "relaxed",
      valueBytesMax: 2_097_152,
      conflictRetentionMs: 86_400_000,
    });
    const sources = Object.fromEntries(settings.map(({ name, source }) => [name, source]));
    expect(sources).toMatchObject({
      listen: "--ip",
      mesh: "MESHKV_MESH",
      durability: `config file ${configFile}`,
      conflictRetention: "default",
    });
  });

  it("finds the config file through the environment, and an empty variable is none", async () => {
    const path = file({ mesh: "found" });
    expect((await load({ environment: { MESHKV_CONFIG: path } })).config.mesh).toBe("found");
    expect((await load({ environment: { MESHKV_CONFIG: "", MESHKV_MESH: "" } })).config.mesh).toBe("default");
    expect((await load({ environment: { MESHKV_CONFIG: "/nowhere" }, configFile: path })).config.mesh).toBe(
      "found",
    );
  });

  it("lets memory and a data directory outweigh each other", async () => {
    const environment = { MESHKV_DATA: "elsewhere" };
    expect((await load({ flags: { memory: true }, environment })).config.data).toBeUndefined();
    expect((await load({ flags: { data: "here" }, environment: { MESHKV_MEMORY: "1" } })).config.data).toBe(
      resolve("here"),
    );
    expect((await load({ environment: { MESHKV_MEMORY: "0", ...environment } })).config.data).toBe(
      resolve("elsewhere"),
    );
  });

  it("does not look at variables that are not settings", async () => {
    expect(
      (await load({ environment: { MESHKV_PORT: "tcp://10.0.0.1:4000", MESHKV_SERVICE_HOST: "x" } }))
        .warnings,
    ).toEqual([]);
  });
});

describe("the environment", () => {
  it("holds lists and truth values", async () => {
    const environment = {
      MESHKV_PEERS: "127.0.0.1:4001, 127.0.0.1:4002  [::1]:4003",
      MESHKV_VERBOSE: "true",
    };
    const { config } = await load({ environment });
    expect(config.peers.map(({ port }) => port)).toEqual([4001, 4002, 4003]);
    expect(config.verbose).toBe(true);
  });
});

describe("peers", () => {
  it("are taken once, and without this server itself", async () => {
    const peers = ["127.0.0.1:4001", "127.0.0.1:4000", "127.0.0.1:4001", "other:4000"];
    expect((await load({ flags: { peers } })).config.peers).toEqual([
      { host: "127.0.0.1", port: 4001 },
      { host: "other", port: 4000 },
    ]);
  });
});

describe("bad values", () => {
  it("are named with their source, all at once", async () => {
    const path = file({ memberTimeout: 7, insecure: "yes", retention: "1d", durability: "fast" });
    const problems = await problemsOf({
      flags: { listen: "127.0.0.1", peers: ["127.0.0.1:4001", "nonsense"] },
      environment: { MESHKV_VALUE_MAX: "65MiB", MESHKV_MEMORY: "perhaps", MESHKV_MESH: "a b" },
      configFile: path,
    });
    expect(problems.toSorted()).toEqual(
      [
        '--ip: no port in "127.0.0.1": write 127.0.0.1:4000',
        'peer: no port in "nonsense": write nonsense:4000',
        'MESHKV_VALUE_MAX: "65MiB" is out of range: write a size from 1B to 64MiB',
        'MESHKV_MEMORY: "perhaps" is no truth value: write true or false',
        'MESHKV_MESH: "a b" is not a mesh name: write 1 to 64 letters, digits, dots, hyphens or underscores',
        `config file ${path}, "memberTimeout": "7" is no text: write it in quotes`,
        `config file ${path}, "insecure": "yes" is no truth value: write true or false`,
        `config file ${path}, "durability": "fast" is no durability: write local or relaxed`,
        `config file ${path}, "retention": no such setting: known are listen, http, httpOrigins, peers, data, memory, advertise, mesh, ` +
          "durability, insecure, verbose, valueMax, memberTimeout, logBudget, history, conflictRetention, maxClockDrift",
      ].toSorted(),
    );
  });

  it.each(["__proto__", "constructor", "a/b", "a~b", ""])("include an unknown setting %j", async (name) => {
    const path = file(`{${JSON.stringify(name)}: 1}`);
    expect((await problemsOf({ configFile: path }))[0]).toContain(`${JSON.stringify(name)}: no such setting`);
  });

  it("include files that cannot be read or are no JSON object", async () => {
    expect((await problemsOf({ configFile: join(folder, "missing.json") }))[0]).toMatch(
      /^--config: cannot read .*ENOENT/,
    );
    expect((await problemsOf({ environment: { MESHKV_CONFIG: file("{") } }))[0]).toMatch(
      /^MESHKV_CONFIG: .* is not JSON/,
    );
    expect((await problemsOf({ configFile: file("[]") }))[0]).toContain("not a JSON object");
  });

  it("include ports that nobody can dial", async () => {
    expect(await problemsOf({ flags: { peers: ["127.0.0.1:0"] } })).toEqual([
      'peer: port 0 in "127.0.0.1:0": nobody can be dialled there',
    ]);
    expect((await problemsOf({ flags: { advertise: "kv.example.org:0" } }))[0]).toMatch(
      /^--advertise: port 0/,
    );
  });

  it("include a directory that depends on an unknown port", async () => {
    expect((await problemsOf({ flags: { listen: "127.0.0.1:0" } }))[0]).toMatch(
      /^--ip: port 0 is another port at each start/,
    );
    expect(await problemsOf({ flags: { listen: "127.0.0.1:0", memory: true } })).toEqual([]);
  });

  it("include memory and a directory from one source", async () => {
    expect(await problemsOf({ flags: { memory: true, data: "x" } })).toEqual([
      "--memory and --data exclude each other: give one of them",
    ]);
    expect(await problemsOf({ environment: { MESHKV_MEMORY: "1", MESHKV_DATA: "x" } })).toEqual([
      "MESHKV_MEMORY and MESHKV_DATA exclude each other: give one of them",
    ]);
    const path = file({ memory: true, data: "x" });
    expect(await problemsOf({ configFile: path })).toEqual([
      `config file ${path}: "memory" and "data" exclude each other: give one of them`,
    ]);
  });
});

describe("listening beyond loopback", () => {
  it.each(["0.0.0.0:4000", "[::]:4000", "192.168.0.1:4000", "kv.example.org:4000"])(
    "%s needs --insecure",
    async (listen) => {
      expect(await problemsOf({ flags: { listen } })).toEqual([
        `--ip: "${listen}" can be reached from other machines, and there is no encryption and no password: ` +
          "add --insecure if the network is yours, or listen on 127.0.0.1",
      ]);
      expect((await problemsOf({ environment: { MESHKV_LISTEN: listen } }))[0]).toMatch(/^MESHKV_LISTEN: /);
      const { config, warnings } = await load({ flags: { listen, http: "off", insecure: true } });
      expect(config.insecure).toBe(true);
      expect(warnings).toEqual([
        `whoever can reach ${listen} can read and change everything: there is no encryption and no password yet`,
      ]);
    },
  );
});

describe("HTTP", () => {
  const httpOf = async (input: Partial<ConfigInput>) => (await load(input)).config.http;

  it("is beside gRPC unless another place is named", async () => {
    const beside = { host: "127.0.0.1", isDefault: true };
    expect(await httpOf({ flags: { listen: "127.0.0.1:4001" } })).toEqual({ ...beside, port: 8001 });
    expect(await httpOf({ flags: { listen: "127.0.0.1:65000" } })).toEqual({ ...beside, port: 0 });
    expect(await httpOf({ flags: { http: "9000" } })).toEqual({
      host: "127.0.0.1",
      port: 9000,
      isDefault: false,
    });
    expect(await httpOf({ flags: { http: "[::1]:9000" } })).toEqual({
      host: "::1",
      port: 9000,
      isDefault: false,
    });
    expect(await httpOf({ flags: { http: "off" } })).toBeUndefined();
  });

  it("takes the port that a platform names, and nothing else does", async () => {
    const environment = { PORT: "10000" };
    expect(await httpOf({ environment })).toEqual({ host: "127.0.0.1", port: 10_000, isDefault: false });
    expect((await load({ environment })).config.listen.port).toBe(4000);
    expect((await load({ environment })).settings.find(({ name }) => name === "http")?.source).toBe("PORT");
    expect((await httpOf({ environment: { ...environment, MESHKV_HTTP: "9000" } }))?.port).toBe(9000);
    expect((await httpOf({ environment, flags: { http: "9001" } }))?.port).toBe(9001);
    expect(await problemsOf({ environment: { PORT: "http" } })).toEqual([expect.stringMatching(/^PORT: /)]);
  });

  it("is refused where it cannot be or should not be", async () => {
    expect(await problemsOf({ flags: { http: "0.0.0.0:8000" } })).toEqual([
      expect.stringMatching(/^--http: "0.0.0.0:8000" can be reached from other machines/),
    ]);
    expect(await problemsOf({ flags: { http: "4000" } })).toEqual([
      expect.stringContaining("is the one of gRPC"),
    ]);
    const { warnings } = await load({ flags: { listen: "0.0.0.0:4000", insecure: true } });
    expect(warnings).toEqual([
      expect.stringMatching(/^whoever can reach 0.0.0.0:4000 or 0.0.0.0:8000 can read/),
    ]);
  });

  it("lets pages of named origins write", async () => {
    const httpOrigins = ["https://admin.example.org", "http://localhost:3000"];
    expect((await load({ flags: { httpOrigins } })).config.httpOrigins).toEqual(httpOrigins);
    for (const wrong of ["*", "admin.example.org", "https://admin.example.org/", "null"]) {
      expect(await problemsOf({ flags: { httpOrigins: [wrong] } })).toHaveLength(1);
    }
  });
});

describe("warnings", () => {
  it("name what can be lost", async () => {
    const { warnings } = await load({ flags: { memory: true, durability: "relaxed" } });
    expect(warnings).toHaveLength(2);
  });
});
