import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkDocumentation } from "./tidy/documentation.ts";
import { checkImporters, checkImports } from "./tidy/imports.ts";
import { type Finding, formatFinding, type Project, ROOT, readProject } from "./tidy/project.ts";
import { checkLeftovers, checkLength, checkPureCore, checkSyntax } from "./tidy/style.ts";

const RULES: Readonly<Record<string, (project: Project) => Finding[]>> = {
  "imports follow the architecture": checkImports,
  "every file has an importer": checkImporters,
  "the core is pure": checkPureCore,
  "no file is too long": checkLength,
  "nothing is left for later": checkLeftovers,
  "no any, no silenced compiler, no default exports, no export *": checkSyntax,
  "everything public is documented": checkDocumentation,
};

/** The compiler reads the whole project: seconds, or a minute where others want the machine, too. */
const READING_MS_MAX = 180_000;

describe("the house is tidy", { timeout: READING_MS_MAX }, () => {
  const project = readProject();

  it.each(Object.entries(RULES))("%s", (_name, check) => {
    expect(check(project).map(formatFinding)).toEqual([]);
  });

  it("the lockfile serves every platform and names no host", () => {
    const script = join(ROOT, "scripts/complete-lock.mjs");
    const { stdout, stderr } = spawnSync(process.execPath, [script, "--check"], { encoding: "utf8" });
    expect(stdout + stderr).toBe("");
  });
});
