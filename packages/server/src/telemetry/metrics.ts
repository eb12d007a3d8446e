/** The metrics of one server, for Prometheus. Every name begins with `meshkv_`, but for those of the process itself. */
import { MeshkvError, type Timestamp, timestampToMs } from "@meshkv/core";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { LocalReplica, ReplicaState } from "../handlers/local-replica.ts";
import type { RunMeter } from "../runtime/run-meter.ts";
import { DURATION_BUCKETS, OperationMeters } from "./operation-meters.ts";
import type { OperationObserver } from "./operation-observer.ts";

/** What is read when the metrics are asked for. */
export interface MetricSources {
  readonly replica: () => Pick<LocalReplica, "status" | "members">;
  readonly version: string;
  /** Counts of what only a scan of the tables tells; undefined: not known yet. */
  readonly census: () => { readonly tombstones: number; readonly conflicts: number } | undefined;
  readonly cache: () => { readonly hits: number; readonly misses: number };
  readonly watchers: () => number;
  readonly httpConnections: () => number;
}

const GROUP_SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

const STATES: readonly ReplicaState[] = [
  "starting",
  "ready",
  "rejoining",
  "storage-full",
  "storage-failed",
  "clock-skew",
  "stopping",
];

/** Measures one server. */
export class ServerMetrics implements RunMeter {
  readonly #registry = new Registry();
  readonly #operations = new OperationMeters();
  readonly #groups: Histogram;
  readonly #commits: Histogram;
  readonly #linkBytes: Counter<"direction">;

  constructor(sources: MetricSources) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#groups = new Histogram({
      name: "meshkv_commit_group_writes",
      help: "Records in one commit group, those of peers included.",
      buckets: GROUP_SIZES,
      registers,
    });
    this.#commits = new Histogram({
      name: "meshkv_commit_duration_seconds",
      help: "Time until a commit group is durable, its fsync included.",
      buckets: DURATION_BUCKETS,
      registers,
    });
    this.#linkBytes = new Counter({
      name: "meshkv_link_bytes_total",
      help: "Bytes of messages to and from peers.",
      labelNames: ["direction"],
      registers,
    });
    for (const direction of ["sent", "received"]) this.#linkBytes.inc({ direction }, 0);
    addGauges(this.#registry, sources);
  }

  /** Measures operations; given to the doors. */
  readonly observe: OperationObserver = (door, operation) => this.#operations.meter(door, operation);

  /** A commit group became durable. */
  committed(writes: number, milliseconds: number): void {
    // A group without writes carries only what the replica knows of others.
    if (writes > 0) this.#groups.observe(writes);
    this.#commits.observe(milliseconds / 1000);
  }

  /** Bytes went to a peer. */
  sent(bytes: number): void {
    this.#linkBytes.inc({ direction: "sent" }, bytes);
  }

  /** Bytes came from a peer. */
  received(bytes: number): void {
    this.#linkBytes.inc({ direction: "received" }, bytes);
  }

  /** Everything, in the text format of Prometheus. */
  async text(): Promise<{ readonly text: string; readonly contentType: string }> {
    const text = `${await this.#registry.metrics()}\n${this.#operations.text()}`;
    return { text, contentType: this.#registry.contentType };
  }
}

function addGauges(registry: Registry, sources: MetricSources): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number | undefined): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const value = orUndefined(read);
        if (value === undefined) this.reset();
        else this.set(value);
      },
    });
  };
  new Gauge({
    name: "meshkv_build_info",
    help: "1, with the versions as labels.",
    labelNames: ["version", "node"],
    registers,
  }).set({ version: sources.version, node: process.version }, 1);
  const status = (): ReturnType<LocalReplica["status"]> => sources.replica().status();
  gauge("meshkv_keys", "Keys that have a value; an estimate.", () => status().keys);
  gauge("meshkv_tombstones", "Deletes that are still kept.", () => sources.census()?.tombstones);
  gauge("meshkv_conflicts", "Keys with losing writes.", () => sources.census()?.conflicts);
  gauge("meshkv_storage_bytes", "Bytes of the data directory.", () => status().storageBytes);
  gauge("meshkv_watchers", "Open watches.", sources.watchers);
  gauge("meshkv_http_connections", "Open connections of HTTP.", sources.httpConnections);
  gauge(
    "meshkv_clock_offset_seconds",
    "This clock minus the median of the peers' clocks.",
    () => status().clockOffsetMs / 1000,
  );
  gauge("meshkv_horizon_age_seconds", "Age of the newest write that every member has.", () => {
    const horizonMs = horizonMsOf(status().horizon);
    return horizonMs === undefined ? undefined : Math.max(0, (Date.now() - horizonMs) / 1000);
  });
  addLabelled(registry, sources);
  addCache(registry, sources.cache);
}

function addLabelled(registry: Registry, { replica }: MetricSources): void {
  const registers = [registry];
  new Gauge({
    name: "meshkv_state",
    help: "1 for the state that the replica is in, 0 for the others.",
    labelNames: ["state"],
    registers,
    collect() {
      const found = orUndefined(() => replica().status().state) ?? "starting";
      for (const state of STATES) this.set({ state }, Number(state === found));
    },
  });
  new Gauge({
    name: "meshkv_horizon_holder",
    help: "1 for the member that forgetting waits for.",
    labelNames: ["member"],
    registers,
    collect() {
      this.reset();
      const member = orUndefined(() => replica().status().horizonHeldBy);
      if (member !== undefined) this.set({ member }, 1);
    },
  });
  const members = (
    name: string,
    help: string,
    read: (member: ReturnType<LocalReplica["members"]>[number]) => number | undefined,
  ): void => {
    new Gauge({
      name,
      help,
      labelNames: ["member"],
      registers,
      collect() {
        this.reset();
        for (const member of orUndefined(() => replica().members()) ?? []) {
          if (member.state === "self" || member.state === "removed") continue;
          const value = read(member);
          if (value !== undefined) this.set({ member: member.replicaId }, value);
        }
      },
    });
  };
  members("meshkv_member_connected", "1 where a member is connected, 0 where it is not.", ({ state }) =>
    Number(state === "connected"),
  );
  members(
    "meshkv_member_lag_milliseconds",
    "Age of the oldest write of this replica that a member lacks.",
    ({ lagMs }) => lagMs,
  );
  members(
    "meshkv_member_lag_records",
    "Writes of this replica that a member lacks.",
    ({ lagRecords }) => lagRecords,
  );
}

function addCache(registry: Registry, read: MetricSources["cache"]): void {
  for (const kind of ["hits", "misses"] as const) {
    new Counter({
      name: `meshkv_cache_${kind}_total`,
      help: `Reads of an entry that the cache could ${kind === "hits" ? "" : "not "}answer.`,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(orUndefined(read)?.[kind] ?? 0);
      },
    });
  }
}

/** Unix milliseconds; undefined: there is no horizon yet. */
function horizonMsOf(horizon: Timestamp): number | undefined {
  return horizon > 0 ? timestampToMs(horizon) : undefined;
}

/** A replica that serves nothing yet tells nothing. */
function orUndefined<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof MeshkvError) return undefined;
    throw error;
  }
}
