import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts, stageTest } from "@meshkv/testing";
import { describe, expect, it } from "vitest";
import { CONFIG_FILE_VARIABLE, SETTING_SOURCES } from "../../src/config/setting-sources.ts";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const textOf = (file: string) => readFile(join(ROOT, file), "utf8");

describe("the files for deployment", () => {
  it.each(["Dockerfile", "compose.yaml", "render.yaml"])(
    "%s sets only variables that exist",
    async (file) => {
      const known = new Set([
        ...Object.values(SETTING_SOURCES).map(({ variable }) => variable),
        CONFIG_FILE_VARIABLE,
      ]);
      const named = (await textOf(file)).match(/\bMESHKV_[A-Z_]+/g) ?? [];
      expect(named.length).toBeGreaterThan(0);
      expect(named.filter((name) => !known.has(name))).toEqual([]);
    },
  );

  it("Dockerfile copies what there is, and does not run as root", async () => {
    const text = await textOf("Dockerfile");
    const copied = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = ""]) =>
      paths.split(" "),
    );
    expect(copied.length).toBeGreaterThan(3);
    expect(copied.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    expect(text.indexOf("\nUSER node")).toBeGreaterThan(text.lastIndexOf("\nFROM"));
    const binary = /ln -s \/app\/(\S+)/.exec(text)?.[1] ?? "";
    expect(existsSync(join(ROOT, binary))).toBe(true);
  });

  stageTest("commands of container and unit do as they say", async ({ stage }) => {
    const health = /HEALTHCHECK[^[]*(\[[^\]]*\])/.exec(await textOf("Dockerfile"))?.[1] ?? "[]";
    const [program, ...words] = JSON.parse(health) as string[];
    expect(program).toBe("meshkv");
    const [port = 0] = await freePorts(1);
    const args = words.map((word) => word.replace("127.0.0.1:4000", `127.0.0.1:${port}`));
    const server = stage.server({ name: "a", port, peers: [] });
    expect((await stage.run(...args)).exitCode).not.toBe(0);
    await server.start();
    const run = await stage.run(...args);
    expect(run).toMatchObject({ exitCode: 0 });

    const unit = /^ExecStart=\S+ (.*)$/m.exec(await textOf("deploy/meshkv.service"))?.[1] ?? "";
    const command = unit.replace("/etc/meshkv/", join(ROOT, "deploy/")).split(" ");
    const printed = await stage.run(...command, "--print-config");
    expect(printed).toMatchObject({ exitCode: 0 });
    expect(printed.stdout).toContain('"/var/lib/meshkv"');
  });
});
