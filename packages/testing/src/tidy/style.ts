import ts from "typescript";
import { type Finding, findingAt, nodesOf, type Project, type SourceFile } from "./project.ts";

const LINES_MAX = 500;

/** The words in a file's head comment that allow it to be longer. */
const LENGTH_EXCUSE = "long because";

// Spelt in two halves, so that this file itself passes.
const LEFTOVER = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\\b`);
const SILENCED = new RegExp(`@ts-(${["ign" + "ore", "noch" + "eck"].join("|")})\\b`);

function lineFindings(file: SourceFile, pattern: RegExp, reason: string): Finding[] {
  return file.text
    .split("\n")
    .flatMap((text, index) => (pattern.test(text) ? [{ path: file.path, line: index + 1, reason }] : []));
}

/** No file over 500 lines, unless the comment at its head says why. */
export function checkLength(project: Project): Finding[] {
  return project.files.flatMap(({ path, text, syntax }) => {
    const lines = text.replace(/\n$/, "").split("\n").length;
    const firstCode = syntax.statements.find((statement) => !ts.isImportDeclaration(statement));
    const head = text.slice(0, firstCode?.getStart(syntax));
    if (lines <= LINES_MAX || head.includes(LENGTH_EXCUSE)) return [];
    return [
      {
        path,
        reason: `has ${lines} lines, over ${LINES_MAX}: split it, or say "${LENGTH_EXCUSE}" at its head`,
      },
    ];
  });
}

/** Nothing is left for later. */
export function checkLeftovers(project: Project): Finding[] {
  return project.files.flatMap((file) =>
    lineFindings(file, LEFTOVER, "a leftover: do it, or write it down elsewhere"),
  );
}

function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  return (
    ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === kind)
  );
}

function wrongSyntax(file: SourceFile, node: ts.Node): string | undefined {
  if (node.kind === ts.SyntaxKind.AnyKeyword) return "says any: use unknown, or the type";
  if (ts.isExportDeclaration(node) && node.exportClause === undefined)
    return "exports *: name what is public";
  if (file.path.endsWith(".config.ts")) return undefined;
  if (ts.isExportAssignment(node) || hasModifier(node, ts.SyntaxKind.DefaultKeyword))
    return "has a default export";
  return undefined;
}

/** No `any`, no silenced compiler, no default exports, no `export *`. */
export function checkSyntax(project: Project): Finding[] {
  return project.files.flatMap((file) => [
    ...lineFindings(file, SILENCED, "silences the compiler"),
    ...[...nodesOf(file)].flatMap((node) => {
      const reason = wrongSyntax(file, node);
      return reason === undefined ? [] : [findingAt(file, node, reason)];
    }),
  ]);
}

const IMPURE_PROPERTIES = new Set(["Date.now", "Math.random", "performance.now"]);
const IMPURE_NAMES = new Set(["setTimeout", "setInterval", "Promise"]);

function impurity(node: ts.Node): string | undefined {
  if (node.kind === ts.SyntaxKind.AsyncKeyword) return "async";
  if (node.kind === ts.SyntaxKind.AwaitKeyword || ts.isAwaitExpression(node)) return "await";
  if (ts.isPropertyAccessExpression(node) && IMPURE_PROPERTIES.has(node.getText())) return node.getText();
  if (ts.isNewExpression(node) && node.expression.getText() === "Date") return "new Date";
  if (ts.isIdentifier(node) && IMPURE_NAMES.has(node.text)) return node.text;
  if (ts.isStringLiteral(node) && node.text.startsWith("node:")) return node.text;
  return undefined;
}

/** The core is told what happened: it has no clock, no randomness, no timers, no platform, and never waits. */
export function checkPureCore(project: Project): Finding[] {
  return project.files
    .filter((file) => file.path.startsWith("packages/core/src/") && !file.isTest)
    .flatMap((file) =>
      [...nodesOf(file)].flatMap((node) => {
        const name = impurity(node);
        return name === undefined ? [] : [findingAt(file, node, `uses ${name}: the core must be told`)];
      }),
    );
}
