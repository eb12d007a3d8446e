/**
 * Configuration in four layers: flags, environment, config file, defaults; the first that has a value wins. Every value
 * remembers where it came from, so that a bad one is named with its source.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { invariant, MeshkvError } from "@meshkv/core";
import { type Address, formatAddress, isLoopback, parseAddress, quoteText } from "./address.ts";
import { type HistorySetting, parseHistory } from "./history.ts";
import type { HttpListen, ServerConfig } from "./server-config.ts";
import { BOUNDS, HTTP_OFF, HTTP_PORT_STEP } from "./setting-limits.ts";
import { CONFIG_FILE_VARIABLE, PORT_VARIABLE, SETTING_SOURCES } from "./setting-sources.ts";
import type * as SettingsSchema from "./settings-schema.ts";
import type { SettingName, Settings } from "./settings-schema.ts";
import { type Bounds, type QuantityResult, parseDuration, parseSize } from "./units.ts";

/** What was said on the command line and in the environment. */
export interface ConfigInput {
  /** Settings given as flags; absent ones were not given. */
  readonly flags: Settings;
  /** Path of the config file, if the command line names one. */
  readonly configFile?: string | undefined;
  /** Environment variables; an empty one counts as not set. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** One setting as it holds, for `--print-config`. */
export interface ResolvedSetting {
  readonly name: SettingName;
  /** As the config file would write it; undefined: not set, and no default. */
  readonly value: unknown;
  /** Where it came from, such as `--ip`, `MESHKV_MESH`, `meshkv.json` or `default`. */
  readonly source: string;
}

/** A valid configuration and what to tell about it. */
export interface LoadedConfig {
  readonly config: ServerConfig;
  readonly settings: readonly ResolvedSetting[];
  /** What is allowed but should not go unnoticed; one sentence each. */
  readonly warnings: readonly string[];
}

const PORT_MAX = 65_535;

type SchemaModule = typeof SettingsSchema;

type Unset = "data" | "advertise" | "http";
type CompleteSettings = Required<Omit<Settings, Unset>> & Pick<Settings, Unset>;

/** Settings by name, with their sources. Names are not checked yet: those of a file may be anything. */
type Layer = Map<string, { readonly value: unknown; readonly source: string }>;

/** Resolves and checks the configuration; throws INVALID_ARGUMENT that names every bad value and its source. */
export async function loadConfig(input: ConfigInput): Promise<LoadedConfig> {
  const values: Layer = new Map();
  for (const layer of [flagLayer(input), environmentLayer(input), fileLayer(input)]) {
    refuseRivals(layer);
    for (const [name, value] of layer) if (!isDecided(values, name)) values.set(name, value);
  }
  const schema = await import("./settings-schema.ts");
  const problems = schemaProblems(values, schema);
  if (problems.length > 0) throw badConfig(problems);
  const settings = withDefaults(values, schema);
  const config = resolveSettings(settings, values);
  return { config, settings, warnings: warningsFor(config) };
}

/** Nobody can say which of the two was meant. */
function refuseRivals(layer: Layer): void {
  const [data, memory] = [layer.get("data"), layer.get("memory")];
  if (data === undefined || memory?.value !== true) return;
  const sources = new Set([memory, data].map(({ source }) => source));
  const names = sources.size === 1 ? `${data.source}: "memory" and "data"` : [...sources].join(" and ");
  throw badConfig([`${names} exclude each other: give one of them`]);
}

/** `--memory` on the command line also outweighs a data directory in the environment, and the other way round. */
function isDecided(values: Layer, name: string): boolean {
  if (values.has(name)) return true;
  const rival = name === "data" ? values.get("memory") : name === "memory" ? values.get("data") : undefined;
  return rival !== undefined && rival.value !== false;
}

function flagLayer({ flags }: ConfigInput): Layer {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  return new Map(
    given.map(([name, value]) => [name, { value, source: SETTING_SOURCES[name as SettingName].flag }]),
  );
}

function environmentLayer({ environment }: ConfigInput): Layer {
  const layer: Layer = new Map();
  for (const [name, { variable, shape }] of Object.entries(SETTING_SOURCES)) {
    const text = environment[variable];
    if (text === undefined || text === "") continue;
    const value =
      shape === "truth" ? truthOf(text) : shape === "list" ? text.split(/[\s,]+/).filter(Boolean) : text;
    layer.set(name, { value, source: variable });
  }
  const port = environment[PORT_VARIABLE];
  if (port !== undefined && port !== "" && !layer.has("http")) {
    layer.set("http", { value: port, source: PORT_VARIABLE });
  }
  return layer;
}

/** A truth value as environments write it; any other text stays, for the schema to refuse. */
function truthOf(text: string): boolean | string {
  if (text === "1" || text === "true") return true;
  return text === "0" || text === "false" ? false : text;
}

function fileLayer({ configFile, environment }: ConfigInput): Layer {
  const variable = environment[CONFIG_FILE_VARIABLE];
  const path = configFile ?? (variable === "" ? undefined : variable);
  if (path === undefined) return new Map();
  const source = `config file ${path}`;
  const content = readJson(path, configFile === undefined ? CONFIG_FILE_VARIABLE : "--config");
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw badConfig([`${source}: not a JSON object: write {"mesh": "default"} or the like`]);
  }
  return new Map(Object.entries(content).map(([name, value]) => [name, { value, source }]));
}

function readJson(path: string, source: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw badConfig([`${source}: cannot read ${quoteText(path)}: ${messageOf(error)}`]);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badConfig([`${source}: ${quoteText(path)} is not JSON: ${messageOf(error)}`]);
  }
}

/** Setting by setting: all that is wrong is told at once. */
function schemaProblems(values: Layer, { problemOfSetting }: SchemaModule): string[] {
  return Array.from(values, ([name, { value, source }]) => {
    const problem = isSettingName(name)
      ? problemOfSetting(name, value)
      : `no such setting: known are ${Object.keys(SETTING_SOURCES).join(", ")}`;
    const place = source.startsWith("config file ") ? `${source}, ${quoteText(name)}` : source;
    return problem === undefined ? [] : [`${place}: ${problem}`];
  }).flat();
}

function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTING_SOURCES, name);
}

function withDefaults(values: Layer, { SETTINGS_SCHEMA }: SchemaModule): ResolvedSetting[] {
  return Object.entries(SETTINGS_SCHEMA.properties).map(([name, schema]) => {
    const found = values.get(name);
    const fallback = "default" in schema ? schema.default : undefined;
    return { name: name as SettingName, value: found?.value ?? fallback, source: found?.source ?? "default" };
  });
}

function resolveSettings(resolved: readonly ResolvedSetting[], values: Layer): ServerConfig {
  // The schema has checked them, and has a default for each but `data`, `advertise` and `http`.
  const settings = Object.fromEntries(
    resolved.map(({ name, value }) => [name, value]),
  ) as unknown as CompleteSettings;
  const source = values.get("listen")?.source ?? "default";
  const listen = addressOf(settings.listen);
  const http = httpListen(settings.http, listen, values.get("http")?.source ?? "default");
  const doors: [string, string, Address | undefined][] = [
    [source, settings.listen, listen],
    [values.get("http")?.source ?? "default", settings.http ?? "", http],
  ];
  for (const [from, text, door] of doors) {
    if (door === undefined || isLoopback(door.host) || settings.insecure) continue;
    throw badConfig([
      `${from}: ${quoteText(text)} can be reached from other machines, and there is no encryption and ` +
        "no password: add --insecure if the network is yours, or listen on 127.0.0.1",
    ]);
  }
  return {
    listen,
    http,
    httpOrigins: settings.httpOrigins,
    peers: peersOf(settings.peers, listen),
    data: settings.memory ? undefined : dataDirectory(settings.data, listen, source),
    advertise: settings.advertise,
    mesh: settings.mesh,
    durability: settings.durability,
    insecure: settings.insecure,
    verbose: settings.verbose,
    valueBytesMax: quantityOf(parseSize, settings.valueMax, BOUNDS.valueMax),
    memberTimeoutMs: quantityOf(parseDuration, settings.memberTimeout, BOUNDS.memberTimeout),
    logBudgetBytes: quantityOf(parseSize, settings.logBudget, BOUNDS.logBudget),
    conflictRetentionMs: quantityOf(parseDuration, settings.conflictRetention, BOUNDS.conflictRetention),
    ...historyOf(settings.history),
    maxClockDriftMs: quantityOf(parseDuration, settings.maxClockDrift, BOUNDS.maxClockDrift),
  };
}

function httpListen(text: string | undefined, listen: Address, source: string): HttpListen | undefined {
  if (text === HTTP_OFF) return undefined;
  if (text !== undefined) {
    const address = /^\d+$/.test(text) ? { host: listen.host, port: Number(text) } : addressOf(text);
    if (address.port === 0 || address.port !== listen.port) return { ...address, isDefault: false };
    throw badConfig([`${source}: port ${address.port} is the one of gRPC: give HTTP another one, or off`]);
  }
  const port = listen.port + HTTP_PORT_STEP;
  // Nobody asked for it: where there is no such port, any other does.
  const isPort = listen.port !== 0 && port <= PORT_MAX;
  return { host: listen.host, port: isPort ? port : 0, isDefault: true };
}

function dataDirectory(given: string | undefined, listen: Address, source: string): string {
  if (given !== undefined) return resolve(given);
  if (listen.port !== 0) return resolve("meshkv-data", String(listen.port));
  throw badConfig([
    `${source}: port 0 is another port at each start: say where the data is with --data, or --memory`,
  ]);
}

/** The same list may be given to every server: each leaves itself out. */
function peersOf(texts: readonly string[], listen: Address): Address[] {
  const peers = new Map(texts.map((text) => [formatAddress(addressOf(text)), addressOf(text)]));
  peers.delete(formatAddress(listen));
  return [...peers.values()];
}

function addressOf(text: string): Address {
  const result = parseAddress(text);
  invariant("address" in result, "the schema has checked every address");
  return result.address;
}

function historyOf(text: string): HistorySetting {
  const result = parseHistory(text);
  invariant("historyMs" in result, "the schema has checked the history");
  return result;
}

function quantityOf(
  parse: (text: string, bounds: Bounds) => QuantityResult,
  text: string,
  bounds: Bounds,
): number {
  const result = parse(text, bounds);
  invariant("value" in result, "the schema has checked every quantity");
  return result.value;
}

function warningsFor(config: ServerConfig): string[] {
  const warnings: string[] = [];
  const doors = config.http === undefined ? [config.listen] : [config.listen, config.http];
  const open = doors.filter(({ host }) => !isLoopback(host)).map(formatAddress);
  if (open.length > 0) {
    warnings.push(
      `whoever can reach ${open.join(" or ")} can read and change everything: there is no encryption and no password yet`,
    );
  }
  if (config.data === undefined)
    warnings.push("everything is kept in memory: it is gone when this process ends");
  if (config.durability === "relaxed") {
    warnings.push(
      "durability is relaxed: writes are acknowledged before they are on disk, and a crash can lose them",
    );
  }
  return warnings;
}

function badConfig(problems: readonly string[]): MeshkvError {
  return new MeshkvError("INVALID_ARGUMENT", problems.join("\n"));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
