/**
 * Counts operations of clients, and how long they took. These are counted for every call, so they are plain numbers,
 * and become text when somebody asks for them.
 */
import type { Door, OperationMeter } from "./operation-observer.ts";

/** From 0.1 ms, a read from memory, to 10 s, a wait for other replicas that came to nothing; in seconds. */
export const DURATION_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
const BUCKETS_MS = DURATION_BUCKETS.map((seconds) => seconds * 1000);

const TOTAL = "meshkv_operations_total";
const DURATION = "meshkv_operation_duration_seconds";

class Meter implements OperationMeter {
  /** Labels that all samples have. */
  readonly labels: string;
  #ok = 0;
  readonly #failed = new Map<string, number>();
  /** Durations per bucket, the last one for all that took longer. */
  readonly #durations = new Float64Array(BUCKETS_MS.length + 1);
  #sumMs = 0;

  constructor(door: Door, operation: string) {
    this.labels = `door="${door}",operation="${operation}"`;
  }

  ended(result: string, startMs: number): void {
    const tookMs = performance.now() - startMs;
    let bucket = 0;
    while (bucket < BUCKETS_MS.length && tookMs > BUCKETS_MS[bucket]!) bucket += 1;
    this.#durations[bucket]! += 1;
    this.#sumMs += tookMs;
    this.counted(result);
  }

  counted(result: string): void {
    if (result === "OK") this.#ok += 1;
    else this.#failed.set(result, (this.#failed.get(result) ?? 0) + 1);
  }

  totals(): string[] {
    const results = this.#ok > 0 ? [["OK", this.#ok] as const, ...this.#failed] : [...this.#failed];
    return results.map(([result, count]) => `${TOTAL}{${this.labels},result="${result}"} ${count}`);
  }

  durations(): string[] {
    let count = 0;
    const lines = Array.from(this.#durations, (more, index) => {
      count += more;
      return `${DURATION}_bucket{le="${DURATION_BUCKETS[index] ?? "+Inf"}",${this.labels}} ${count}`;
    });
    if (count === 0) return [];
    return [
      ...lines,
      `${DURATION}_sum{${this.labels}} ${this.#sumMs / 1000}`,
      `${DURATION}_count{${this.labels}} ${count}`,
    ];
  }
}

/** The meters of one server. */
export class OperationMeters {
  readonly #meters = { grpc: new Map<string, Meter>(), http: new Map<string, Meter>() };

  /** The meter of a kind of operation; always the same. Both names are of letters, digits and hyphens. */
  meter(door: Door, operation: string): OperationMeter {
    const meters = this.#meters[door];
    let meter = meters.get(operation);
    if (meter === undefined) {
      meter = new Meter(door, operation);
      meters.set(operation, meter);
    }
    return meter;
  }

  /** All counts, in the text format of Prometheus. */
  text(): string {
    const meters = [...this.#meters.grpc.values(), ...this.#meters.http.values()];
    return [
      `# HELP ${TOTAL} Operations of clients, by door, kind and result (OK or the code of the error); those of pipelines too.`,
      `# TYPE ${TOTAL} counter`,
      ...meters.flatMap((meter) => meter.totals()),
      "",
      `# HELP ${DURATION} Time from the whole request to the answer; of streams, their whole life. Without operations of pipelines.`,
      `# TYPE ${DURATION} histogram`,
      ...meters.flatMap((meter) => meter.durations()),
      "",
    ].join("\n");
  }
}
