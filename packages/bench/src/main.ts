/**
 * `npm run bench [-- --quick | --smoke] [--json] [--out DIR] [--only SUITE] [--minutes N]`: measures meshkv beside its peers, in one
 * run; the steady load of `endurance` lasts N minutes.
 */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { Bench, FULL, QUICK, SMOKE } from "./bench.ts";
import { chartOf } from "./report/chart.ts";
import { judgeTargets } from "./report/targets.ts";
import { reportText } from "./report/text.ts";
import { isInstalled, versionLine } from "./servers/child.ts";
import { measureClient } from "./suites/client.ts";
import { measureEndurance } from "./suites/endurance.ts";
import { measureFailover } from "./suites/failover.ts";
import { measureGrowth } from "./suites/growth.ts";
import { measureLinks, measureReplication } from "./suites/replication.ts";
import { measureScaling } from "./suites/scaling.ts";
import { measureStoppedPeer } from "./suites/stopped-peer.ts";
import { measureThroughput } from "./suites/throughput.ts";

const SUITES = {
  throughput: measureThroughput,
  replication: measureReplication,
  links: measureLinks,
  "stopped-peer": measureStoppedPeer,
  client: measureClient,
  failover: measureFailover,
  growth: measureGrowth,
  scaling: measureScaling,
  endurance: measureEndurance,
};

/** What the quick run leaves out unless it is named: shorter they say nothing. */
const LONG: readonly string[] = ["failover", "scaling", "endurance"];

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    smoke: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    out: { type: "string", default: "bench-results" },
    only: { type: "string", multiple: true },
    minutes: { type: "string" },
  },
});

function revision(): string {
  try {
    const git = (...args: readonly string[]): string =>
      execFileSync("git", args, { encoding: "utf8" }).trim();
    return git("rev-parse", "HEAD") + (git("status", "--porcelain") === "" ? "" : " with changes");
  } catch {
    return "unknown";
  }
}

function versions(): Record<string, string> {
  const found: Record<string, string> = { node: process.version };
  if (isInstalled("etcd")) found["etcd"] = versionLine("etcd", "--version");
  if (isInstalled("redis-server")) found["redis"] = versionLine("redis-server", "--version");
  if (isInstalled("nats-server")) found["nats"] = versionLine("nats-server", "--version");
  if (isInstalled("h2load")) found["h2load"] = versionLine("h2load", "--version");
  return found;
}

const unknown = options.only?.filter((name) => !(name in SUITES)) ?? [];
if (unknown.length > 0) {
  process.stderr.write(
    `bench: no suite ${unknown.join(", ")}; there are ${Object.keys(SUITES).join(", ")}\n`,
  );
  process.exit(2);
}
const minutes = options.minutes === undefined ? undefined : Number(options.minutes);
if (minutes !== undefined && !(minutes > 0 && minutes <= 24 * 60)) {
  process.stderr.write("bench: --minutes takes a number above 0, up to 1440\n");
  process.exit(2);
}

const startMs = performance.now();
const startedAt = new Date().toISOString();
const loadBefore = loadavg()[0] ?? 0;
const folder = await mkdtemp(join(tmpdir(), "meshkv-bench-"));
const scale = {
  ...(options.smoke ? SMOKE : options.quick ? QUICK : FULL),
  ...(minutes === undefined ? {} : { enduranceSeconds: Math.ceil(60 * minutes) }),
};
const asked = options.only ?? Object.keys(SUITES).filter((name) => !options.quick || !LONG.includes(name));
const suiteSeconds: Record<string, number> = {};
const bench = new Bench(scale, folder, (text) => process.stderr.write(`${text}\n`));
try {
  for (const [name, measure] of Object.entries(SUITES)) {
    if (!asked.includes(name)) continue;
    const suiteMs = performance.now();
    try {
      await measure(bench);
    } catch (error) {
      bench.fail(name, error);
    }
    suiteSeconds[name] = Math.round((performance.now() - suiteMs) / 1000);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
const { measures, failures } = bench;
const targets = judgeTargets(bench);
const document = {
  command: `npm run bench -- ${process.argv.slice(2).join(" ")}`.trim(),
  revision: revision(),
  startedAt,
  seconds: Math.round((performance.now() - startMs) / 1000),
  suiteSeconds,
  machine: {
    processor: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    // Whatever else ran before this: figures of a busy machine say little.
    loadBefore,
  },
  versions: versions(),
  scale: bench.scale,
  measures,
  targets,
  failures,
};
await mkdir(options.out, { recursive: true });
const base = join(options.out, `bench-${startedAt.replaceAll(":", "-").slice(0, 19)}`);
await writeFile(`${base}.json`, `${JSON.stringify(document, undefined, 2)}\n`);
await writeFile(`${base}.svg`, chartOf(targets, `meshkv against its targets, ${startedAt.slice(0, 10)}`));
process.stdout.write(options.json ? `${JSON.stringify(document)}\n` : reportText(measures, targets));
process.stderr.write(`written: ${base}.json, ${base}.svg\n`);
if (failures.length > 0) process.exitCode = 1;
