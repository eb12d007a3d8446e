/** What a replica tells about itself and the mesh, as lines of text. */
import type { MemberInfo, MemberState, ReplicaState, ReplicaStatus } from "@meshkv/client";
import { lineTextOf } from "./byte-text.ts";
import { formatTable } from "./table.ts";

const MEMBER_STATES: Readonly<Record<MemberState, string>> = {
  self: "this one",
  connected: "connected",
  unreachable: "unreachable",
  joining: "joining",
  removed: "removed",
  unknown: "unknown",
};

const REPLICA_STATES: Readonly<Record<ReplicaState, string>> = {
  starting: "starting: it copies the data of a peer and serves nothing yet",
  ready: "ready",
  rejoining: "rejoining: it answers reads from its old data meanwhile",
  "storage-full": "disk full: it takes no writes",
  "storage-failed": "disk failed: it takes no writes",
  "clock-skew": "clock wrong: it takes no writes",
  stopping: "stopping",
  unknown: "unknown",
};

/** The state of a replica in words. */
export function replicaStateText(state: ReplicaState): string {
  return REPLICA_STATES[state];
}

/** The members as a table with a head, removed ones included. */
export function memberLines(members: readonly MemberInfo[], nowMs: number): string[] {
  const rows = members.map((member) => [
    member.replicaId,
    plain(member.address) || "-",
    memberStateText(member),
    lagText(member),
    member.lastSeen === undefined ? "-" : agoText(nowMs - member.lastSeen.getTime()),
  ]);
  return formatTable([["REPLICA", "ADDRESS", "STATE", "LACKS", "SEEN"], ...rows]);
}

/** What a replica says of itself, as lines of a name and a value, and then its members. */
export function statusLines(status: ReplicaStatus, nowMs: number): string[] {
  const reason = status.stateReason === "" ? "" : ` (${plain(status.stateReason)})`;
  const uptime = status.uptimeMs === undefined ? "" : `, up ${durationText(status.uptimeMs)}`;
  const rows = [
    ["replica", status.replicaId],
    ["state", replicaStateText(status.state) + reason],
    ["mesh", `${plain(status.meshName)} (${plain(status.meshId ?? "no id yet")})`],
    ["version", `${plain(status.serverVersion)}${uptime}`],
    ["data", `about ${countText(status.keys, "key", "keys")}, ${bytesText(status.storageBytes)}`],
    ["digest", status.digest],
    ["clock", `${signed(status.clockOffsetMs)} ms from the median of the mesh`],
    ["horizon", horizonText(status, nowMs)],
  ];
  return [...formatTable(rows), "", ...memberLines(status.members, nowMs)];
}

/** In a healthy mesh the horizon waits a moment for somebody all the time: only who is away is worth naming. */
function memberStateText({ state, holdsHorizon, successor }: MemberInfo): string {
  const text = MEMBER_STATES[state];
  if (successor !== undefined) return `${text}, now ${successor}`;
  const isAway = state === "unreachable" || state === "joining";
  return holdsHorizon && isAway ? `${text}, holds the horizon back` : text;
}

function lagText({ state, lagMs, lagRecords }: MemberInfo): string {
  if (state === "self" || lagRecords === undefined) return "-";
  const age = lagMs === undefined || lagRecords === 0 ? "" : `, ${durationText(lagMs)} old`;
  return `${countText(lagRecords, "write", "writes")}${age}`;
}

function horizonText({ replicaId, horizonTime, horizonHeldBy }: ReplicaStatus, nowMs: number): string {
  const time = horizonTime === undefined ? "none yet" : agoText(nowMs - horizonTime.getTime());
  return horizonHeldBy === undefined || horizonHeldBy === replicaId
    ? time
    : `${time}, waits for ${horizonHeldBy}`;
}

function countText(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
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

function signed(value: number): string {
  return value > 0 ? `+${value}` : String(value);
}

/** A text from elsewhere, without anything that could play tricks on the terminal. */
function plain(text: string): string {
  return lineTextOf(new TextEncoder().encode(text));
}
