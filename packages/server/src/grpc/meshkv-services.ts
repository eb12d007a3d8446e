/** Everything that the gRPC door of a replica serves. */
import { KeyValue, Mesh } from "@meshkv/protocol";
import { KeyValueHandlers } from "../handlers/key-value-handlers.ts";
import type { LocalReplica, WriteConcern } from "../handlers/local-replica.ts";
import { MeshHandlers } from "../handlers/mesh-handlers.ts";
import { HealthService } from "./health.ts";
import { bindPeerService } from "./peer-service.ts";
import type { PeerStream } from "./peer-stream.ts";
import { reflectionBindings } from "./reflection.ts";
import { bindService, type ServiceBinding } from "./service-binding.ts";

/** What the services stand on. */
export interface MeshkvServicesOptions {
  readonly replica: LocalReplica;
  /** Greatest value that a client may write, in bytes. */
  readonly valueBytesMax: number;
  /** The concern of writes that name none. */
  readonly defaultConcern: WriteConcern;
  /** Takes the streams that peers open; without it there are no peers. */
  readonly onPeerStream?: (stream: PeerStream) => void;
}

/** The services, for `serveGrpc`, and their health, which starts as not serving. */
export interface MeshkvServices {
  readonly bindings: readonly ServiceBinding[];
  readonly health: HealthService;
}

/** Binds the services of meshkv, health and reflection. */
export function meshkvServices(options: MeshkvServicesOptions): MeshkvServices {
  const { replica, valueBytesMax, defaultConcern, onPeerStream } = options;
  const keyValue = new KeyValueHandlers({ replica, valueBytesMax, defaultConcern });
  const mesh = new MeshHandlers(replica);
  const health = new HealthService([KeyValue.typeName, Mesh.typeName]);
  const served = [
    bindService(KeyValue, {
      get: (request) => keyValue.get(request),
      set: (request, call) => keyValue.set(request, call),
      delete: (request, call) => keyValue.delete(request, call),
      list: (request, call) => keyValue.list(request, call),
      batch: (request, call) => keyValue.batch(request, call),
    }),
    bindService(Mesh, {
      status: (request) => mesh.status(request),
      listMembers: (request) => mesh.listMembers(request),
      removeMember: (request, call) => mesh.removeMember(request, call),
    }),
    health.binding,
  ];
  if (onPeerStream !== undefined) served.push(bindPeerService({ onStream: onPeerStream }));
  return { bindings: [...served, ...reflectionBindings(served.map(({ service }) => service))], health };
}
