import { beforeEach, describe, expect, it, vi } from "vitest";
import { Reclaiming } from "./reclaiming.ts";

const MIB = 1024 * 1024;

let done: string[];
let finish: () => void;
let reclaiming: Reclaiming;

beforeEach(() => {
  done = [];
  const note = (what: string) => (): Promise<void> => {
    done.push(what);
    return new Promise((resolve) => {
      finish = resolve;
    });
  };
  reclaiming = new Reclaiming({ logs: note("logs"), all: note("all") });
});

async function finished(): Promise<void> {
  finish();
  await new Promise((resolve) => setImmediate(resolve));
}

describe("what is gone from the logs", () => {
  it("is given back when it is more than the disk has to spare, and once at a time", async () => {
    reclaiming.look(100 * MIB, 50 * MIB, 0);
    reclaiming.look(60 * MIB, 50 * MIB, 0);
    expect(done).toEqual([]);
    // Logs grow and are cut again: what has gone adds up.
    reclaiming.look(80 * MIB, 50 * MIB, 0);
    reclaiming.look(65 * MIB, 50 * MIB, 0);
    expect(done).toEqual(["logs"]);
    reclaiming.look(0, -1, 0);
    expect(done).toEqual(["logs"]);
    await finished();
    reclaiming.look(0, -1, 0);
    expect(done).toEqual(["logs", "logs"]);
  });

  it("is left while it is little and the disk has room", () => {
    reclaiming.look(3 * MIB, 0, 0);
    reclaiming.look(0, 0, 0);
    expect(done).toEqual([]);
  });
});

describe("a full disk", () => {
  it("has everything given back, and again after ten times as long as that took", async () => {
    const clock = vi.spyOn(performance, "now");
    reclaiming.look(0, -1, 1000);
    reclaiming.look(0, -1, 1500);
    expect(done).toEqual(["all"]);
    clock.mockReturnValue(2000);
    await finished();
    clock.mockRestore();
    reclaiming.look(0, -1, 11_999);
    expect(done).toEqual(["all"]);
    reclaiming.look(0, -1, 12_000);
    expect(done).toEqual(["all", "all"]);
  });
});
