/**
 * The one list of a server's settings. Values are texts, truth values and lists of texts, as people write them;
 * `load-config.ts` turns them into numbers and addresses once they have passed. Loaded only where settings are checked:
 * the library takes a noticeable part of a second to load, and most verbs of the command line have no settings.
 */
import { CLOCK_DRIFT_MS_MAX, VALUE_BYTES_MAX } from "@meshkv/core";
import { Errors } from "typebox/schema";
import * as Type from "typebox/type";
import { parseAddress, quoteText } from "./address.ts";
import { parseHistory } from "./history.ts";
import { BOUNDS, DEFAULT_ADDRESS, DEFAULT_HISTORY, HTTP_OFF } from "./setting-limits.ts";
import { type Bounds, formatDuration, formatSize, parseDuration, parseSize } from "./units.ts";

const DAY_MS = 24 * 3600 * 1000;
const GIB = 1024 ** 3;

/** The schema of all settings; each is optional, since it may come from elsewhere. */
export const SETTINGS_SCHEMA = Type.Object(
  {
    listen: Type.Optional(address("Address to serve on", { default: DEFAULT_ADDRESS })),
    http: Type.Optional(httpAddress()),
    httpOrigins: Type.Optional(Type.Array(origin(), { default: [] })),
    peers: Type.Optional(Type.Array(dialAddress("Address of a peer"), { default: [] })),
    data: Type.Optional(Type.String({ description: "Data directory", minLength: 1 })),
    memory: Type.Optional(Type.Boolean({ description: "Keep everything in memory", default: false })),
    advertise: Type.Optional(dialAddress("Address that others are told to dial")),
    mesh: Type.Optional(meshName()),
    durability: Type.Optional(Type.Enum(["local", "relaxed"], { default: "local" })),
    insecure: Type.Optional(Type.Boolean({ description: "Allow listening beyond loopback", default: false })),
    verbose: Type.Optional(Type.Boolean({ description: "Log in detail", default: false })),
    valueMax: Type.Optional(size("Greatest value", BOUNDS.valueMax, VALUE_BYTES_MAX)),
    memberTimeout: Type.Optional(duration("Silence before removal", BOUNDS.memberTimeout, 7 * DAY_MS)),
    logBudget: Type.Optional(size("Log kept for one member", BOUNDS.logBudget, 4 * GIB)),
    conflictRetention: Type.Optional(duration("Age of conflicts", BOUNDS.conflictRetention, DAY_MS)),
    history: Type.Optional(history()),
    maxClockDrift: Type.Optional(duration("Clock difference", BOUNDS.maxClockDrift, CLOCK_DRIFT_MS_MAX)),
  },
  { additionalProperties: false },
);

/** Values of settings before they are resolved; a setting that is absent comes from elsewhere. */
export type Settings = Type.Static<typeof SETTINGS_SCHEMA>;

/** The name of a setting, as the config file writes it. */
export type SettingName = keyof Settings;

/** What is wrong with the value of a setting; undefined: nothing. */
export function problemOfSetting(name: SettingName, value: unknown): string | undefined {
  const [, [error]] = Errors(SETTINGS_SCHEMA.properties[name], value);
  if (error === undefined) return undefined;
  if (error.keyword === "~refine") return error.message;
  const shown = quoteText(typeof value === "string" ? value : JSON.stringify(value));
  if (error.keyword === "enum") return `${shown} is no durability: write local or relaxed`;
  if (error.keyword === "minLength") return `${shown} is no path: write the name of a directory`;
  if (error.message === "must be boolean") return `${shown} is no truth value: write true or false`;
  if (error.message === "must be array") return `${shown} is no list: write ["127.0.0.1:4001"] or the like`;
  return `${shown} is no text: write it in quotes`;
}

/** A text that `problemOf` finds nothing wrong with. */
function checkedText(
  options: { description: string; default?: string },
  problemOf: (text: string) => string | undefined,
) {
  return Type.Refine(
    Type.String(options),
    (text) => problemOf(text) === undefined,
    (text) => problemOf(text) ?? "",
  );
}

function address(description: string, options: { default?: string } = {}) {
  return checkedText({ description, ...options }, (text) => problemIn(parseAddress(text)));
}

function httpAddress() {
  return checkedText({ description: "Address to serve HTTP on, a port, or off" }, (text) => {
    if (text === HTTP_OFF) return undefined;
    return problemIn(parseAddress(/^\d+$/.test(text) ? `localhost:${text}` : text));
  });
}

function origin() {
  return checkedText({ description: "Origin whose pages may write" }, (text) => {
    if (/^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text) return undefined;
    return `${quoteText(text)} is no origin: write scheme and host, such as https://admin.example.org`;
  });
}

function dialAddress(description: string) {
  return checkedText({ description }, (text) => {
    const result = parseAddress(text);
    if ("problem" in result) return result.problem;
    return result.address.port === 0
      ? `port 0 in ${quoteText(text)}: nobody can be dialled there`
      : undefined;
  });
}

function duration(description: string, bounds: Bounds, defaultMs: number) {
  const options = { description, default: formatDuration(defaultMs) };
  return checkedText(options, (text) => problemIn(parseDuration(text, bounds)));
}

function size(description: string, bounds: Bounds, defaultBytes: number) {
  const options = { description, default: formatSize(defaultBytes) };
  return checkedText(options, (text) => problemIn(parseSize(text, bounds)));
}

function meshName() {
  return checkedText({ description: "Name of the mesh", default: "default" }, (text) => {
    if (/^[A-Za-z0-9._-]{1,64}$/.test(text)) return undefined;
    return `${quoteText(text)} is not a mesh name: write 1 to 64 letters, digits, dots, hyphens or underscores`;
  });
}

function history() {
  const options = { description: "Log kept for watchers", default: DEFAULT_HISTORY };
  return checkedText(options, (text) => problemIn(parseHistory(text)));
}

function problemIn(result: object): string | undefined {
  return "problem" in result && typeof result.problem === "string" ? result.problem : undefined;
}
