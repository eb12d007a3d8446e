/** Counts the outcomes in the report of vitest's JSON reporter. */

/**
 * A file that fails without a failed test (it could not be loaded, or a hook threw) counts as one failure, and so does
 * a run that fails for no reason that the report shows (an unhandled rejection, a crash, no test found).
 * @param {any} report the parsed report, or undefined when there is none
 * @param {number} status the exit code of vitest
 */
export function summarize(report, status) {
  const files = report?.testResults ?? [];
  const outcomes = files.flatMap((file) => file.assertionResults.map((test) => test.status));
  const brokenFiles = files.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  const failed = outcomes.filter((outcome) => outcome === "failed").length + brokenFiles.length;
  const passed = outcomes.filter((outcome) => outcome === "passed").length;
  return {
    passed,
    failed: failed === 0 && status !== 0 ? 1 : failed,
    skipped: outcomes.length - passed - (failed - brokenFiles.length),
  };
}
