import { describe, expect, it } from "vitest";
import { aborted, StopRequest } from "./stop-request.ts";

describe("StopRequest", () => {
  it("is polite first and forces second", async () => {
    const stop = new StopRequest();
    expect([stop.polite.aborted, stop.forced.aborted]).toEqual([false, false]);
    expect(stop.request("SIGTERM", 1000)).toBe(false);
    expect([stop.polite.aborted, stop.forced.aborted]).toEqual([true, false]);
    await aborted(stop.polite);
    expect(stop.request("SIGTERM", 1001)).toBe(true);
    expect([stop.forced.aborted, stop.exitCode]).toEqual([true, 143]);
  });

  it("takes the echo of one Ctrl-C for one request", () => {
    const stop = new StopRequest();
    expect(stop.request("SIGINT", 1000)).toBe(false);
    expect(stop.request("SIGINT", 1100)).toBe(false);
    expect(stop.request("SIGINT", 1300)).toBe(true);
    expect(stop.exitCode).toBe(130);
  });

  it("does not take another signal for an echo", () => {
    const stop = new StopRequest();
    stop.request("SIGINT", 1000);
    expect(stop.request("SIGTERM", 1001)).toBe(true);
  });
});
