import { PassThrough, Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { PersonLog } from "./person-log.ts";
import { Terminal } from "./terminal.ts";

function logTo(isVerbose: boolean): { log: PersonLog; lines: () => string[] } {
  const stderr = new PassThrough();
  const terminal = new Terminal({
    stdin: Readable.from([]),
    stdout: new PassThrough(),
    stderr,
    environment: {},
  });
  const log = new PersonLog(terminal, isVerbose, () => new Date(2026, 0, 2, 3, 4, 5));
  return { log, lines: () => String(stderr.read() ?? "").split("\n") };
}

describe("PersonLog", () => {
  it("writes what somebody should look at", () => {
    const { log, lines } = logTo(false);
    log.error({ error: new Error("no space left") }, "cannot write");
    log.warn({ peer: "127.0.0.1:4001", lag: 12, empty: "", nothing: undefined }, "peer is slow");
    log.info({}, "all is well");
    log.debug({}, "in detail");
    expect(lines()).toEqual([
      '03:04:05 error cannot write error="no space left"',
      '03:04:05 warn  peer is slow peer=127.0.0.1:4001 lag=12 empty="" nothing=',
      "",
    ]);
  });

  it("writes everything when it is verbose", () => {
    const { log, lines } = logTo(true);
    log.info({}, "all is well");
    log.debug({ list: [1, 2] }, "in detail");
    expect(lines()).toEqual(["03:04:05 info  all is well", "03:04:05 debug in detail list=[1,2]", ""]);
  });

  it("keeps lines and terminals whole", () => {
    const { log, lines } = logTo(false);
    log.warn({ message: "a\u001b[2J\nb" }, "odd\nmessage");
    expect(lines()).toEqual([String.raw`03:04:05 warn  odd\nmessage message="a\x1b[2J\nb"`, ""]);
  });
});
