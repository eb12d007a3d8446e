import { dirname, join } from "node:path/posix";
import ts from "typescript";
import { type Finding, findingAt, nodesOf, type Project, type SourceFile } from "./project.ts";

/** Which packages of the workspace each may import: the table of ARCHITECTURE.md. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  store: ["@meshkv/core"],
  protocol: ["@meshkv/core"],
  server: ["@meshkv/core", "@meshkv/protocol", "@meshkv/store"],
  client: ["@meshkv/protocol"],
  cli: ["@meshkv/client", "@meshkv/protocol", "@meshkv/server", "@meshkv/store"],
  keyv: ["@meshkv/client"],
  console: [],
  bench: ["@meshkv/client", "@meshkv/core", "@meshkv/protocol", "@meshkv/server", "@meshkv/store"],
};

/** The files that a tool or another package opens, not an import. */
const ENTRY_POINT =
  /\/src\/(\w+\/)?main\.ts$|^packages\/testing\/src\/(pure|property-seed)\.ts$|^packages\/server\/src\/notation\.ts$|\/src\/index\.ts$|\.test\.ts$|\.config\.ts$|^scripts\/[^/]+$/;

/** Entries of packages beside the main one. */
const FURTHER_ENTRIES: readonly string[] = ["@meshkv/server/notation", "@meshkv/testing/pure"];

interface Import {
  readonly specifier: string;
  readonly node: ts.Node;
}

function literalOf(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}

/** What a node imports: a declaration, `import()` in code or as a type, or a file named by `new URL("./x", …)`. */
function specifierOf(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return literalOf(node.moduleSpecifier);
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return literalOf(node.arguments[0]);
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
    return literalOf(node.argument.literal);
  if (ts.isNewExpression(node) && node.expression.getText() === "URL") {
    const path = literalOf(node.arguments?.[0]);
    return path !== undefined && /^\.\.?\/.*\.(ts|js|mjs)$/.test(path) ? path : undefined;
  }
  return undefined;
}

function importsOf(file: SourceFile): Import[] {
  return [...nodesOf(file)].flatMap((node) => {
    const specifier = specifierOf(node);
    return specifier === undefined ? [] : [{ specifier, node }];
  });
}

/** `@scope/name/deeper` and `name/deeper` without the deeper part. */
function packageNameOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

function resolveRelative(file: SourceFile, specifier: string): string {
  return join(dirname(file.path), specifier);
}

function wrongRelativeImport(file: SourceFile, specifier: string): string | undefined {
  const home = file.folder === undefined ? "" : `packages/${file.folder}/`;
  if (resolveRelative(file, specifier).startsWith(home)) return undefined;
  return `imports ${specifier}, a file of another package: import the package`;
}

function wrongPackageImport(project: Project, file: SourceFile, specifier: string): string | undefined {
  const name = packageNameOf(specifier);
  const home = project.packages.find((candidate) => candidate.folder === file.folder);
  if (home === undefined || name === home.name) return undefined;
  if (project.packages.some((candidate) => candidate.name === name)) {
    if (specifier !== name && !FURTHER_ENTRIES.includes(specifier))
      return `imports ${specifier}: only ${name} itself is public`;
    if (file.folder === "testing" || (file.isTest && name === "@meshkv/testing")) return undefined;
    const allowed = MAY_IMPORT[home.folder];
    if (allowed === undefined)
      return `lives in packages/${home.folder}, which the table of imports does not know`;
    if (!allowed.includes(name))
      return `imports ${name}; ${home.name} may import: ${allowed.join(", ") || "nothing"}`;
  }
  if (home.dependencies.has(name) || (file.isTest && project.rootDependencies.has(name))) return undefined;
  if (file.isTest && name === "@meshkv/testing") return undefined;
  return `imports ${name}, which packages/${home.folder}/package.json does not ask for`;
}

/** Imports stay inside the package, or follow the table and the package's manifest. */
export function checkImports(project: Project): Finding[] {
  return project.files.flatMap((file) =>
    importsOf(file).flatMap(({ specifier, node }) => {
      if (specifier.startsWith("node:")) return [];
      const reason = specifier.startsWith(".")
        ? wrongRelativeImport(file, specifier)
        : wrongPackageImport(project, file, specifier);
      return reason === undefined ? [] : [findingAt(file, node, reason)];
    }),
  );
}

/** Every file is imported by one that is not its test, or is an entry point. */
export function checkImporters(project: Project): Finding[] {
  const imported = new Set<string>();
  for (const file of project.files) {
    if (file.path.endsWith(".test.ts") && file.folder !== "testing") continue;
    for (const { specifier } of importsOf(file)) {
      if (specifier.startsWith(".")) imported.add(resolveRelative(file, specifier));
    }
  }
  return project.files
    .filter(({ path }) => path.includes("/src/") && !ENTRY_POINT.test(path) && !imported.has(path))
    .map(({ path }) => ({ path, reason: "nothing but perhaps its own test imports this file" }));
}
