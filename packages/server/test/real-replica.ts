/** A served replica on memory or a directory, without a network: what handlers stand on, whole. */
import { MeshkvError, PEERING_DEFAULTS } from "@meshkv/core";
import { ServedReplica } from "../src/runtime/served-replica.ts";

const SILENT = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
};

/** Starts a replica; stop it when the test ends. */
export async function startReplica(directory?: string): Promise<ServedReplica> {
  const replica = new ServedReplica({
    location: directory === undefined ? { memory: true } : { directory },
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
