/** A served replica on memory or a directory, without a network: what handlers stand on, whole. */
import { MeshkvError, PEERING_DEFAULTS } from "@meshkv/core";
import type { Engine } from "@meshkv/store";
import { ServedReplica } from "../src/runtime/served-replica.ts";

const SILENT = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
};

/** Starts a replica on a directory, on an engine, or in memory; stop it when the test ends. */
export async function startReplica(place?: string | { readonly engine: Engine }): Promise<ServedReplica> {
  const location = typeof place === "string" ? { directory: place } : (place ?? ({ memory: true } as const));
  const replica = new ServedReplica({
    location,
    meshName: "default",
    serverVersion: "0.0.0-test",
    dialPeer: () => Promise.reject(new MeshkvError("UNAVAILABLE", "there is no network here")),
    log: SILENT,
    onServing: () => undefined,
    onFatal: () => undefined,
  });
  await replica.start({
    ...PEERING_DEFAULTS,
    address: "127.0.0.1:1",
    peers: [],
    rejoinPatienceMs: 30_000,
  });
  return replica;
}
