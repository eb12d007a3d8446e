import type { Bench, Scale } from "../bench.ts";

/** A target, and what was measured. */
export interface TargetResult {
  readonly name: string;
  /** What was measured: a ratio, or a figure in `unit`; null: it was not measured. */
  readonly ratio: number | null;
  readonly target: number;
  readonly compare: "at least" | "at most";
  readonly unit: string;
  readonly reached: boolean;
  /** Of ratios of throughput, the same by processor time of the servers: it holds also on a busy machine. */
  readonly processorRatio?: number;
  /** Why it was not measured, or on which scale. */
  readonly note?: string;
}

/** Two figures, the first over the second. */
interface Ratio {
  readonly of: string;
  readonly to: string;
}

interface Target {
  readonly name: string;
  readonly target: number;
  readonly compare: "at least" | "at most";
  readonly unit: string;
  readonly measured: Ratio | ((bench: Bench) => number | undefined);
  /** What the target is stated for, where the quick run measures less. */
  readonly fullScale?: (bench: Bench) => string | undefined;
}

function ratio(of: string, to: string): Ratio {
  return { of, to };
}

function ratioIn(bench: Bench, { of, to }: Ratio, suffix = ""): number | undefined {
  const [above, below] = [bench.value(of + suffix), bench.value(to + suffix)];
  return above === undefined || below === undefined ? undefined : above / below;
}

function value(name: string): (bench: Bench) => number | undefined {
  return (bench) => bench.value(name);
}

function growth(bench: Bench): number | undefined {
  const { growth: sizes } = bench.scale;
  const [small, large] = [sizes[0], sizes.at(-1)];
  const ratios = ["get", "set"].map((kind) =>
    ratioIn(bench, ratio(`${kind} p99 at ${large} keys`, `${kind} p99 at ${small} keys`)),
  );
  return ratios.some((one) => one === undefined) ? undefined : Math.max(...ratios.map((one) => one ?? 0));
}

function largest({ growth: sizes }: Scale): number {
  return Math.max(...sizes);
}

function tenMinutes({ scale }: Bench): string | undefined {
  return scale.stoppedSeconds < 600 ? `${scale.stoppedSeconds} s` : undefined;
}

/** The size of a table that is nearest to a million keys, of those that are not larger. */
function sizeNear({ growth: sizes }: Scale): number {
  return Math.max(...sizes.filter((size) => size <= 1_000_000));
}

const TARGETS: readonly Target[] = [
  {
    name: "unary get, against etcd serializable read",
    target: 1,
    compare: "at least",
    unit: "",
    measured: ratio("meshkv unary get", "etcd unary get"),
  },
  {
    name: "unary durable set, against etcd put",
    target: 0.7,
    compare: "at least",
    unit: "",
    measured: ratio("meshkv unary set", "etcd unary put"),
  },
  {
    name: "pipelined durable set, against etcd put",
    target: 4,
    compare: "at least",
    unit: "",
    measured: ratio("meshkv pipeline set", "etcd unary put"),
  },
  {
    name: "pipelined get, against etcd read",
    target: 6,
    compare: "at least",
    unit: "",
    measured: ratio("meshkv pipeline get", "etcd unary get"),
  },
  {
    name: "durable sets of one pipeline stream, against meshkv's own unary set",
    target: 4,
    compare: "at least",
    unit: "",
    measured: ratio("meshkv pipeline set, one stream", "meshkv unary set"),
  },
  {
    name: "three peers against one, unary durable set at the writer",
    target: 0.7,
    compare: "at least",
    unit: "",
    measured: ratio("meshkv unary set, three peers", "meshkv unary set"),
  },
  {
    name: "acknowledged here, visible there, p50",
    target: 5,
    compare: "at most",
    unit: "ms",
    measured: value("replication delay p50"),
  },
  {
    name: "acknowledged here, visible there, p99",
    target: 50,
    compare: "at most",
    unit: "ms",
    measured: value("replication delay p99"),
  },
  {
    name: "catch-up of a peer that was away",
    target: 60_000,
    compare: "at least",
    unit: "records/s",
    measured: value("catch-up"),
  },
  {
    name: "bootstrap of a new replica with 1 M keys of 100 B",
    target: 20,
    compare: "at most",
    unit: "s",
    measured: value("bootstrap"),
    fullScale: ({ scale }) => (scale.bootstrapKeys < 1_000_000 ? `${scale.bootstrapKeys} keys` : undefined),
  },
  {
    name: "bytes on each link per written byte in a full mesh of 5",
    target: 1.3,
    compare: "at most",
    unit: "",
    measured: value("bytes on a link per written byte"),
    fullScale: ({ scale }) => (scale.linkMembers < 5 ? `${scale.linkMembers} members` : undefined),
  },
  {
    name: "in process, get of a hot key",
    target: 1_000_000,
    compare: "at least",
    unit: "operations/s",
    measured: value("in process, get of a hot key"),
  },
  {
    name: "in process, durable set in groups of 256",
    target: 60_000,
    compare: "at least",
    unit: "operations/s",
    measured: value("in process, durable set in groups of 256"),
  },
  {
    name: "growth: p99 of get and set at 10 M keys over that at 10 k",
    target: 2,
    compare: "at most",
    unit: "",
    measured: growth,
    fullScale: ({ scale }) => (largest(scale) < 10_000_000 ? `${largest(scale)} keys` : undefined),
  },
  {
    name: "restart of a replica with 10 M keys",
    target: 10,
    compare: "at most",
    unit: "s",
    measured: value("restart after a kill"),
    fullScale: ({ scale }) => (largest(scale) < 10_000_000 ? `${largest(scale)} keys` : undefined),
  },
  {
    name: "memory of an idle server",
    target: 120,
    compare: "at most",
    unit: "MiB",
    measured: value("memory, idle"),
  },
  {
    name: "memory with 1 M keys",
    target: 450,
    compare: "at most",
    unit: "MiB",
    measured: (bench) => bench.value(`memory at ${sizeNear(bench.scale)} keys`),
    fullScale: ({ scale }) => (sizeNear(scale) === 1_000_000 ? undefined : `${sizeNear(scale)} keys`),
  },
  {
    name: "p99 of set with one peer stopped, over that with all well",
    target: 1.2,
    compare: "at most",
    unit: "",
    measured: ratio("set p99, one peer stopped", "set p99, all peers well"),
    fullScale: tenMinutes,
  },
  {
    name: "memory added by one stopped peer, 10 min under load",
    target: 32,
    compare: "at most",
    unit: "MiB",
    measured: value("memory added by a stopped peer"),
    fullScale: tenMinutes,
  },
  {
    name: "client: 256 callers, pipelined against one by one",
    target: 3,
    compare: "at least",
    unit: "",
    measured: ratio("client set, pipelined", "client set, one by one"),
  },
  {
    name: "client: throughput back after its replica was killed",
    target: 1000,
    compare: "at most",
    unit: "ms",
    measured: value("client, its replica killed: throughput back after"),
  },
  {
    name: "client: slowest call when its replica stands still",
    target: 1000,
    compare: "at most",
    unit: "ms",
    measured: value("client, its replica stopped: slowest call"),
  },
  {
    name: "watchers: one write to 1,000 watchers, p99",
    target: 50,
    compare: "at most",
    unit: "ms",
    measured: value("fan-out p99"),
  },
];

/** Every target with what this run has found. */
export function judgeTargets(bench: Bench): TargetResult[] {
  return TARGETS.map(({ name, target, compare, unit, measured, fullScale }) => {
    const isRatio = typeof measured !== "function";
    const found = isRatio ? ratioIn(bench, measured) : measured(bench);
    const byProcessor = isRatio ? ratioIn(bench, measured, ", processor") : undefined;
    const smaller = fullScale?.(bench);
    const note =
      found === undefined
        ? "not measured in this run"
        : smaller && `not on the scale of the target: ${smaller}`;
    // What was found on a smaller scale says nothing of the target.
    const isMet = found !== undefined && (compare === "at least" ? found >= target : found <= target);
    const reached = isMet && smaller === undefined;
    return {
      name,
      ratio: found ?? null,
      target,
      compare,
      unit,
      reached,
      ...(byProcessor === undefined ? {} : { processorRatio: byProcessor }),
      ...(note === undefined ? {} : { note }),
    };
  });
}
