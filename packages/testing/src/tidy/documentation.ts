import { join, relative } from "node:path";
import ts from "typescript";
import { type Finding, type Project, ROOT } from "./project.ts";

function compilerOptions(): ts.CompilerOptions {
  const path = join(ROOT, "tsconfig.test.json");
  const { config, error } = ts.readConfigFile(path, (name) => ts.sys.readFile(name));
  if (error !== undefined) throw new Error(ts.flattenDiagnosticMessageText(error.messageText, "\n"));
  return ts.parseJsonConfigFileContent(config, ts.sys, ROOT).options;
}

/** The symbol that an export stands for, however many files hand it on. */
function originalOf(checker: ts.TypeChecker, symbol: ts.Symbol): ts.Symbol {
  return (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
}

function undocumentedExports(checker: ts.TypeChecker, index: ts.SourceFile): Finding[] {
  const module = checker.getSymbolAtLocation(index);
  if (module === undefined) return [];
  return checker.getExportsOfModule(module).flatMap((exported) => {
    const original = originalOf(checker, exported);
    const declaration = original.declarations?.[0];
    if (declaration === undefined) return [];
    const file = declaration.getSourceFile();
    const path = relative(ROOT, file.fileName).replaceAll("\\", "/");
    const isOurs = /^packages\/[^/]+\/src\//.test(path) && !path.includes("/gen/");
    if (!isOurs || original.getDocumentationComment(checker).length > 0) return [];
    const line = file.getLineAndCharacterOfPosition(declaration.getStart(file)).line + 1;
    return [{ path, line, reason: `${original.name} is public and has no doc comment` }];
  });
}

/** Everything that a package's index exports has a doc comment where it is declared. */
export function checkDocumentation(project: Project): Finding[] {
  const indexes = project.packages.map(({ folder }) => join(ROOT, "packages", folder, "src/index.ts"));
  const program = ts.createProgram(indexes, compilerOptions());
  const checker = program.getTypeChecker();
  return indexes.flatMap((path) => {
    const index = program.getSourceFile(path);
    return index === undefined ? [] : undocumentedExports(checker, index);
  });
}
