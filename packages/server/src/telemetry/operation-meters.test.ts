import { describe, expect, it } from "vitest";
import { DURATION_BUCKETS, OperationMeters } from "./operation-meters.ts";

/** The lines of one metric, without its head. */
function linesOf(meters: OperationMeters, name: string): string[] {
  return meters
    .text()
    .split("\n")
    .filter((line) => line.startsWith(name));
}

describe("meters of operations", () => {
  it("are one for each door and kind", () => {
    const meters = new OperationMeters();
    expect(meters.meter("grpc", "get")).toBe(meters.meter("grpc", "get"));
    expect(meters.meter("grpc", "get")).not.toBe(meters.meter("http", "get"));
    expect(meters.meter("grpc", "get")).not.toBe(meters.meter("grpc", "set"));
  });

  it("tell counts by result", () => {
    const meters = new OperationMeters();
    const meter = meters.meter("grpc", "set");
    meter.counted("OK");
    meter.counted("TOO_LARGE");
    meter.ended("OK", performance.now());
    expect(linesOf(meters, "meshkv_operations_total")).toEqual([
      'meshkv_operations_total{door="grpc",operation="set",result="OK"} 2',
      'meshkv_operations_total{door="grpc",operation="set",result="TOO_LARGE"} 1',
    ]);
  });

  it("tell durations as a histogram, of those operations that have one", () => {
    const meters = new OperationMeters();
    meters.meter("http", "list").counted("OK");
    const meter = meters.meter("grpc", "get");
    for (const agoMs of [0, 40_000, 80_000]) meter.ended("OK", performance.now() - agoMs);
    const buckets = linesOf(meters, "meshkv_operation_duration_seconds_bucket");
    const counts = buckets.map((line) => Number(line.slice(line.lastIndexOf(" "))));
    expect(buckets.length).toBe(DURATION_BUCKETS.length + 1);
    expect(buckets.at(-1)).toBe(
      'meshkv_operation_duration_seconds_bucket{le="+Inf",door="grpc",operation="get"} 3',
    );
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(counts.at(-2), "up to ten seconds").toBe(1);
    const [sum = ""] = linesOf(meters, "meshkv_operation_duration_seconds_sum");
    expect(Number(sum.slice(sum.lastIndexOf(" ")))).toBeGreaterThanOrEqual(120);
    expect(linesOf(meters, "meshkv_operation_duration_seconds_count")).toEqual([
      'meshkv_operation_duration_seconds_count{door="grpc",operation="get"} 3',
    ]);
  });
});
