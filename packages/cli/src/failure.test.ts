import { readFileSync } from "node:fs";
import { MeshkvError } from "@meshkv/protocol";
import { describe, expect, it } from "vitest";
import { explainFailure, failureLines } from "./failure.ts";

function thrownBy(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}

describe("explainFailure", () => {
  it("names the version that a condition met, once", () => {
    const version = "0".repeat(32);
    const silent = new MeshkvError("CONDITION_FAILED", "it does not hold", { version });
    expect(explainFailure(silent).message).toBe(`it does not hold (current version: ${version})`);
    const telling = new MeshkvError("CONDITION_FAILED", `its version is ${version}`, { version });
    expect(explainFailure(telling).message).toBe(`its version is ${version}`);
  });

  it("tells what the system refused, without our stack", () => {
    const failure = explainFailure(thrownBy(() => readFileSync("/no/such/file")));
    expect(failure).toMatchObject({
      exitCode: 1,
      message: "ENOENT: no such file or directory, open '/no/such/file'",
    });
  });

  it("shows where a fault of ours happened", () => {
    expect(explainFailure(new TypeError("oops")).message).toMatch(
      /^a fault in meshkv itself: TypeError: oops\n +at /,
    );
    expect(explainFailure("text").message).toBe("a fault in meshkv itself: text");
  });
});

describe("failureLines", () => {
  it("says who speaks, and keeps further lines together", () => {
    const failure = explainFailure(new MeshkvError("INVALID_ARGUMENT", "--ip: bad\n--mesh: bad"));
    expect(failureLines(failure)).toBe("meshkv: --ip: bad\n  --mesh: bad");
  });
});
