import { setTimeout as sleep } from "node:timers/promises";
import {
  type Address,
  formatAddress,
  isWildcard,
  parseAddress,
  type RunningServer,
  type ServerConfig,
} from "@meshkv/server";
import { packageVersion } from "./package-version.ts";
import { formatTable } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** A person waits at most so many times so long for the first lines; peers that are up are connected by then. */
const POLLS_MAX = 10;
const POLL_MS = 50;

/**
 * What a newcomer needs to know of a server that has just started: where it is, where its data is, how its peers are,
 * and how to talk to it. Waits a moment for the peers, unless the signal is aborted.
 */
export async function serverIntroduction(
  server: RunningServer,
  config: ServerConfig,
  signal: AbortSignal,
  colors: Terminal["colors"],
): Promise<string> {
  for (let polls = 0; polls < POLLS_MAX && !signal.aborted; polls += 1) {
    const connected = connectedAddresses(server);
    if (config.peers.every((peer) => connected.has(formatAddress(peer)))) break;
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  const rows = [
    ["gRPC", server.address],
    ...httpRows(server.httpAddress),
    ["data", config.data ?? "in memory only"],
    ["mesh", config.mesh],
    ["replica", server.replicaId],
    ...peerRows(config, connectedAddresses(server)),
    ...tryRows(dialableAddress(server.address), server.httpAddress),
  ];
  const lines = formatTable(rows).map((line) => `  ${line}`);
  return [colors.bold(`meshkv ${packageVersion()} is up. Ctrl-C stops it.`), ...lines].join("\n");
}

function connectedAddresses(server: RunningServer): ReadonlySet<string> {
  const connected = server.members().filter(({ state }) => state === "connected");
  return new Set(connected.map(({ address }) => address));
}

/** The address on which this machine reaches a server that listens on `address`. */
function dialableAddress(address: string): string {
  const result = parseAddress(address);
  if ("problem" in result || !isWildcard(result.address.host)) return address;
  const loopback: Address = {
    host: result.address.host.includes(":") ? "::1" : "127.0.0.1",
    port: result.address.port,
  };
  return formatAddress(loopback);
}

function peerRows({ peers }: ServerConfig, connected: ReadonlySet<string>): string[][] {
  if (peers.length === 0) return [["peers", "none named: others join by naming this address"]];
  return peers.map((peer, index) => {
    const address = formatAddress(peer);
    const state = connected.has(address) ? "connected" : "not connected yet: joins when it comes";
    return [index === 0 ? "peers" : "", `${address}  ${state}`];
  });
}

function httpRows(address: string | undefined): string[][] {
  if (address === undefined) return [["HTTP", "off"]];
  return [["HTTP", `http://${dialableAddress(address)}/docs  to try every call from a browser`]];
}

function tryRows(address: string, httpAddress: string | undefined): string[][] {
  const flag = address === "127.0.0.1:4000" ? "" : ` --ip ${address}`;
  return [
    ["try", `npx meshkv set greeting hello${flag}`],
    ["", `npx meshkv get greeting${flag}`],
    ...(httpAddress === undefined
      ? []
      : [["", `curl http://${dialableAddress(httpAddress)}/v1/kv/greeting`]]),
  ];
}
