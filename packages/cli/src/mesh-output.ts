/** What a replica tells about itself and the mesh, as lines of text. */
import {
  type Member,
  Member_State,
  type StatusResponse,
  StatusResponse_State,
  timestampMs,
} from "@meshkv/protocol";
import { lineTextOf } from "./byte-text.ts";
import { formatTable } from "./table.ts";

const MEMBER_STATES: Readonly<Record<number, string>> = {
  [Member_State.SELF]: "this one",
  [Member_State.CONNECTED]: "connected",
  [Member_State.UNREACHABLE]: "unreachable",
  [Member_State.JOINING]: "joining",
  [Member_State.REMOVED]: "removed",
};

const REPLICA_STATES: Readonly<Record<number, string>> = {
  [StatusResponse_State.STARTING]: "starting: it copies the data of a peer and serves nothing yet",
  [StatusResponse_State.READY]: "ready",
  [StatusResponse_State.REJOINING]: "rejoining: it answers reads from its old data meanwhile",
  [StatusResponse_State.STORAGE_FULL]: "disk full: it takes no writes",
  [StatusResponse_State.STORAGE_FAILED]: "disk failed: it takes no writes",
  [StatusResponse_State.CLOCK_SKEW]: "clock wrong: it takes no writes",
  [StatusResponse_State.STOPPING]: "stopping",
};

/** The state of a replica in words. */
export function replicaStateText(state: StatusResponse_State): string {
  return REPLICA_STATES[state] ?? "unknown";
}

/** The members as a table with a head, removed ones included. */
export function memberLines(members: readonly Member[], nowMs: number): string[] {
  const rows = members.map((member) => [
    member.replicaId,
    plain(member.address) || "-",
    memberStateText(member),
    lagText(member),
    member.lastSeen === undefined ? "-" : agoText(nowMs - timestampMs(member.lastSeen)),
  ]);
  return formatTable([["REPLICA", "ADDRESS", "STATE", "LACKS", "SEEN"], ...rows]);
}

/** What a replica says of itself, as lines of a name and a value, and then its members. */
export function statusLines(status: StatusResponse, nowMs: number): string[] {
  const reason = status.stateReason === "" ? "" : ` (${plain(status.stateReason)})`;
  const uptime =
    status.uptime === undefined ? "" : `, up ${durationText(Number(status.uptime.seconds) * 1000)}`;
  const rows = [
    ["replica", status.replicaId],
    ["state", replicaStateText(status.state) + reason],
    ["mesh", `${plain(status.meshName)} (${plain(status.meshId) || "no id yet"})`],
    ["version", `${plain(status.serverVersion)}${uptime}`],
    ["data", `about ${countText(status.keys, "key", "keys")}, ${bytesText(Number(status.storageBytes))}`],
    ["digest", status.digest],
    ["clock", `${signed(status.clockOffsetMs)} ms from the median of the mesh`],
    ["horizon", horizonText(status, nowMs)],
  ];
  return [...formatTable(rows), "", ...memberLines(status.members, nowMs)];
}

/** In a healthy mesh the horizon waits a moment for somebody all the time: only who is away is worth naming. */
function memberStateText({ state, holdsHorizon, successor }: Member): string {
  const text = MEMBER_STATES[state] ?? "unknown";
  if (successor !== "") return `${text}, now ${successor}`;
  const isAway = state === Member_State.UNREACHABLE || state === Member_State.JOINING;
  return holdsHorizon && isAway ? `${text}, holds the horizon back` : text;
}

function lagText({ state, lagMs, lagRecords }: Member): string {
  if (state === Member_State.SELF || lagRecords === undefined) return "-";
  const age = lagMs === undefined || lagRecords === 0n ? "" : `, ${durationText(Number(lagMs))} old`;
  return `${countText(lagRecords, "write", "writes")}${age}`;
}

function horizonText({ replicaId, horizonTime, horizonHeldBy }: StatusResponse, nowMs: number): string {
  const time = horizonTime === undefined ? "none yet" : agoText(nowMs - timestampMs(horizonTime));
  return horizonHeldBy === "" || horizonHeldBy === replicaId ? time : `${time}, waits for ${horizonHeldBy}`;
}

function countText(count: bigint, one: string, many: string): string {
  return `${count} ${count === 1n ? one : many}`;
}

function agoText(elapsedMs: number): string {
  return elapsedMs < 1000 ? "now" : `${durationText(elapsedMs)} ago`;
}

/** A duration for people: its two greatest units. */
export function durationText(durationMs: number): string {
  const seconds = Math.floor(Math.max(0, durationMs) / 1000);
  if (seconds === 0) return `${Math.max(0, Math.round(durationMs))}ms`;
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(" ");
}

/** A size for people, with one decimal. */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power] ?? ""}`;
}

function signed(value: bigint): string {
  return value > 0n ? `+${value}` : String(value);
}

/** A text from elsewhere, without anything that could play tricks on the terminal. */
function plain(text: string): string {
  return lineTextOf(new TextEncoder().encode(text));
}
