/**
 * Loads the workspace's sources as a module graph of its own, with pieces of their text replaced: so a rule can be broken
 * in a test without a trace of it in the production code, and any number of broken builds live beside the true one in
 * one process. Types are stripped file by file, once; modules are evaluated anew in each graph.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileFunction } from "node:vm";
import ts from "typescript";

const PACKAGES = fileURLToPath(new URL("../../../", import.meta.url));
const requireInstalled = createRequire(join(PACKAGES, "testing/package.json"));

/** One piece of source text that is replaced by another. */
export interface Patch {
  /** From `packages` on: `core/src/merge.ts`. */
  readonly file: string;
  /** Must occur exactly once; white space and trailing commas do not matter. */
  readonly find: string;
  readonly replace: string;
}

/** A patch whose text is not there any more, or more than once: the bug has to be planted anew. */
export class PatchError extends Error {
  override name = "PatchError";
}

type Exports = Record<string, unknown>;

const compiled = new Map<string, string>();

/** Replaces the text; throws PatchError. */
export function applyPatch(source: string, { file, find, replace }: Patch): string {
  const tokens = find.match(/\w+|[^\s\w]/g) ?? [];
  let pattern = "";
  for (const [index, token] of tokens.entries()) {
    const before = tokens[index - 1] ?? "";
    const escaped = token.replace(/[^\w]/g, "\\$&");
    if (index > 0) pattern += /\w$/.test(before) && /^\w/.test(token) ? "\\s+" : "\\s*";
    pattern += /[)\]}]/.test(token) && before !== "," ? `(?:,\\s*)?${escaped}` : escaped;
  }
  const found = [...source.matchAll(new RegExp(pattern, "g"))];
  const [only] = found;
  if (only === undefined || found.length > 1) throw new PatchError(`${file} has ${found.length} of: ${find}`);
  return source.slice(0, only.index) + replace + source.slice(only.index + only[0].length);
}

function strip(path: string, source: string, isOpen: boolean): string {
  const compilerOptions: ts.CompilerOptions = {
    module: ts.ModuleKind.CommonJS,
    target: ts.ScriptTarget.ES2023,
    esModuleInterop: true,
    removeComments: true,
  };
  const { outputText } = ts.transpileModule(source, { fileName: path, compilerOptions });
  // Private names become ordinary ones, for a world that has to be copied and compared whole.
  return isOpen ? outputText.replace(/(?<=[\s.(!{;]|^)#(?=[a-z]\w*)/gim, "private_") : outputText;
}

/** A graph of modules, evaluated from sources. */
export class SourceGraph {
  readonly #patches: readonly Patch[];
  readonly #isOpen: boolean;
  readonly #modules = new Map<string, { exports: Exports }>();
  readonly #applied = new Set<Patch>();

  /** @param isOpen private fields can be reached under `private_` and their name */
  constructor(patches: readonly Patch[] = [], isOpen = false) {
    this.#patches = patches;
    this.#isOpen = isOpen;
  }

  /** What the file exports: `testing/src/simulator/world.ts`. Throws PatchError when a patch does not fit. */
  load(file: string): Exports {
    const exports = this.#load(join(PACKAGES, file));
    for (const patch of this.#patches) {
      if (!this.#applied.has(patch)) throw new PatchError(`${patch.file} is not part of the graph`);
    }
    return exports;
  }

  #load(path: string): Exports {
    const known = this.#modules.get(path);
    if (known !== undefined) return known.exports;
    const module: { exports: Exports } = { exports: {} };
    this.#modules.set(path, module);
    const run = compileFunction(this.#compile(path), ["exports", "require", "module"], { filename: path });
    run(module.exports, (specifier: string) => this.#resolve(path, specifier), module);
    return module.exports;
  }

  #compile(path: string): string {
    const file = path.slice(PACKAGES.length);
    const patches = this.#patches.filter((patch) => patch.file === file);
    const name = `${this.#isOpen ? "open" : "closed"} ${path}`;
    const known = patches.length === 0 ? compiled.get(name) : undefined;
    if (known !== undefined) return known;
    let source = readFileSync(path, "utf8");
    for (const patch of patches) {
      source = applyPatch(source, patch);
      this.#applied.add(patch);
    }
    const code = strip(path, source, this.#isOpen);
    if (patches.length === 0) compiled.set(name, code);
    return code;
  }

  #resolve(from: string, specifier: string): unknown {
    if (specifier.startsWith(".")) return this.#load(join(dirname(from), specifier));
    const [, folder] = /^@meshkv\/([a-z-]+)$/.exec(specifier) ?? [];
    const home = folder === undefined ? "" : join(PACKAGES, folder, "src/index.ts");
    return existsSync(home) ? this.#load(home) : requireInstalled(specifier);
  }
}
