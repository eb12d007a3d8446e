/**
 * Runs modules one after the other, each to its end, and prints a line of JSON for each: its path, and its error if it had
 * one. What examples print goes to standard error.
 */
import { Console } from "node:console";
import { pathToFileURL } from "node:url";

// Their own output would be among the reports.
globalThis.console = new Console(process.stderr);
// What an example leaves open must not keep the others from being judged.
process.on("unhandledRejection", (error) => report("unhandled", error));

function report(path, error) {
  process.stdout.write(`${JSON.stringify({ path, error: error && String(error.stack ?? error) })}\n`);
}

for (const path of process.argv.slice(2)) {
  try {
    await import(pathToFileURL(path).href);
    report(path);
  } catch (error) {
    report(path, error);
  }
}
process.exit(0);
