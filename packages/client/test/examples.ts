/** Finds the examples in doc comments and documents, and makes programs of them. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** The project's root folder. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** One example. */
export interface Example {
  /** Where it stands: `path:line`. */
  readonly place: string;
  readonly code: string;
}

const FENCE = /^([ \t]*\*?[ \t]*)```ts\n([\s\S]*?)^[ \t]*\*?[ \t]*```[ \t]*$/gm;

/** The ```ts blocks of a file; in doc comments without their stars. */
export function examplesOf(path: string): Example[] {
  const text = readFileSync(join(ROOT, path), "utf8");
  return [...text.matchAll(FENCE)].map((match) => {
    const line = text.slice(0, match.index).split("\n").length;
    const code = (match[2] ?? "").replace(/^[ \t]*\*[ ]?/gm, "");
    return { place: `${path}:${line}`, code };
  });
}

/** The source files of a package, without its tests. */
export function sourcePaths(folder: string): string[] {
  const base = join(ROOT, folder);
  return readdirSync(base, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .map((path) => relative(ROOT, join(base, path)))
    .toSorted();
}

/** What an index exports from its package without an example in the doc comment. */
export function withoutExample(folder: string): string[] {
  const exported = new Set(
    syntaxOf(join(folder, "index.ts")).statements.flatMap((statement) =>
      ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause)
        ? statement.exportClause.elements.map(({ name }) => name.text)
        : [],
    ),
  );
  // What comes from the protocol has its home there.
  for (const name of ["ErrorCode", "MeshkvError"]) exported.delete(name);
  for (const path of sourcePaths(folder)) {
    for (const statement of syntaxOf(path).statements) {
      const hasExample = ts.getJSDocTags(statement).some(({ tagName }) => tagName.text === "example");
      if (hasExample) for (const name of namesOf(statement)) exported.delete(name);
    }
  }
  return [...exported];
}

function syntaxOf(path: string): ts.SourceFile {
  return ts.createSourceFile(path, readFileSync(join(ROOT, path), "utf8"), ts.ScriptTarget.Latest, true);
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  }
  return ts.isDeclarationStatement(statement) ? [statement.name?.getText() ?? ""] : [];
}

/** The example as a JavaScript module that talks to the address. */
export function moduleOf({ code, place }: Example, address: string): string {
  const { outputText, diagnostics = [] } = ts.transpileModule(code, {
    reportDiagnostics: true,
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2022,
      verbatimModuleSyntax: false,
    },
  });
  const [problem] = diagnostics;
  if (problem !== undefined) {
    throw new Error(`${place}: ${ts.flattenDiagnosticMessageText(problem.messageText, "\n")}`);
  }
  return outputText.replaceAll(/127\.0\.0\.1:400\d/g, address);
}

/** What the compiler says about the examples, checked against the built packages. */
export function typeErrors(examples: readonly Example[]): string[] {
  const names = new Map(examples.map((example, index) => [join(ROOT, `example-${index}.ts`), example]));
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    skipLibCheck: true,
  };
  const host = ts.createCompilerHost(options);
  const [readSource, exists] = [host.getSourceFile.bind(host), host.fileExists.bind(host)];
  host.fileExists = (path) => names.has(path) || exists(path);
  host.getSourceFile = (path, languageVersion, ...rest) => {
    const example = names.get(path);
    if (example === undefined) return readSource(path, languageVersion, ...rest);
    const settings = typeof languageVersion === "object" ? languageVersion : { languageVersion };
    return ts.createSourceFile(path, `${example.code}\nexport {};\n`, {
      ...settings,
      impliedNodeFormat: ts.ModuleKind.ESNext,
    });
  };
  const program = ts.createProgram([...names.keys()], options, host);
  return [...names].flatMap(([path, { place }]) => {
    const file = program.getSourceFile(path);
    return program
      .getSemanticDiagnostics(file)
      .map(({ messageText }) => `${place}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`);
  });
}
