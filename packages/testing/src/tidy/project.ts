import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** The project's root folder. */
export const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));

/** One source file, parsed. */
export interface SourceFile {
  /** From the project's root, with forward slashes. */
  readonly path: string;
  /** The folder under `packages` that it lives in; undefined for the scripts and the root's own files. */
  readonly folder: string | undefined;
  readonly text: string;
  /** A test, or a helper of end to end tests: nothing that is shipped. */
  readonly isTest: boolean;
  readonly syntax: ts.SourceFile;
}

/** One package of the workspace. */
interface Package {
  readonly folder: string;
  readonly name: string;
  /** The names of every package that its manifest asks for. */
  readonly dependencies: ReadonlySet<string>;
}

/** What the rules look at. */
export interface Project {
  readonly files: readonly SourceFile[];
  readonly packages: readonly Package[];
  /** What the root's manifest gives to every test. */
  readonly rootDependencies: ReadonlySet<string>;
}

/** A broken rule: where, and what to do about it. */
export interface Finding {
  readonly path: string;
  readonly line?: number;
  readonly reason: string;
}

const IGNORED_FOLDERS = new Set(["node_modules", "dist", "gen", "coverage"]);
const SOURCE_NAME = /\.(ts|mjs)$/;

function sourcePathsBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return IGNORED_FOLDERS.has(entry.name) ? [] : sourcePathsBelow(path);
    return SOURCE_NAME.test(entry.name) && !entry.name.endsWith(".d.ts") ? [path] : [];
  });
}

function readSource(absolutePath: string): SourceFile {
  const path = relative(ROOT, absolutePath).replaceAll("\\", "/");
  const folder = /^packages\/([^/]+)\//.exec(path)?.[1];
  const text = readFileSync(absolutePath, "utf8");
  const isTest = folder === "testing" || /\.test\.ts$|^packages\/[^/]+\/test\//.test(path);
  return {
    path,
    folder,
    text,
    isTest,
    syntax: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true),
  };
}

interface Manifest {
  readonly name: string;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
}

function readManifest(path: string): { name: string; dependencies: Set<string> } {
  const manifest = JSON.parse(readFileSync(path, "utf8")) as Manifest;
  const names = [manifest.dependencies, manifest.devDependencies].flatMap((table) =>
    Object.keys(table ?? {}),
  );
  return { name: manifest.name, dependencies: new Set(names) };
}

/** Reads the whole project from disk. */
export function readProject(): Project {
  const folders = readdirSync(join(ROOT, "packages")).filter((folder) =>
    existsSync(join(ROOT, "packages", folder, "package.json")),
  );
  const packages = folders.map((folder) => ({
    folder,
    ...readManifest(join(ROOT, "packages", folder, "package.json")),
  }));
  const sources = ["packages", "scripts", "vitest.config.ts"].flatMap((name) =>
    SOURCE_NAME.test(name) ? [join(ROOT, name)] : sourcePathsBelow(join(ROOT, name)),
  );
  const rootDependencies = readManifest(join(ROOT, "package.json")).dependencies;
  return { files: sources.map(readSource), packages, rootDependencies };
}

/** Every node of a file's syntax tree, parents first. */
export function* nodesOf(file: SourceFile): Generator<ts.Node> {
  const pending: ts.Node[] = [file.syntax];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    yield node;
    node.forEachChild((child) => {
      pending.push(child);
    });
  }
}

/** A finding at a node. */
export function findingAt(file: SourceFile, node: ts.Node, reason: string): Finding {
  const { line } = file.syntax.getLineAndCharacterOfPosition(node.getStart(file.syntax));
  return { path: file.path, line: line + 1, reason };
}

/** A finding as `path:line: reason`. */
export function formatFinding({ path, line, reason }: Finding): string {
  return `${path}${line === undefined ? "" : `:${line}`}: ${reason}`;
}
