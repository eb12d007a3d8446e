/** Everything that the gRPC door of a replica serves. */
import {
  Comparison,
  decodeGetManyRequest,
  decodeGetRequest,
  decodeListRequest,
  decodePipelineRequest,
  decodeSetRequest,
  encodeGetManyResponse,
  encodeGetResponse,
  encodeSetResponse,
  KeyValue,
  Mesh,
} from "@meshkv/protocol";
import { ComparisonHandlers } from "../handlers/comparison-handlers.ts";
import type { ComparedTable } from "../handlers/comparison.ts";
import { ConflictHandlers } from "../handlers/conflict-handlers.ts";
import { KeyValueHandlers } from "../handlers/key-value-handlers.ts";
import type { LocalReplica, WriteConcern } from "../handlers/local-replica.ts";
import { WatchHandlers } from "../handlers/watch-handlers.ts";
import { MeshHandlers } from "../handlers/mesh-handlers.ts";
import { VerifyHandlers } from "../handlers/verify-handlers.ts";
import type { OperationObserver } from "../telemetry/operation-observer.ts";
import { HealthService } from "./health.ts";
import { bindPeerService } from "./peer-service.ts";
import type { PeerStream } from "./peer-stream.ts";
import { reflectionBindings } from "./reflection.ts";
import { RemoteSide } from "./remote-side.ts";
import {
  bindService,
  fastBidi,
  fastServerStream,
  fastUnary,
  type ServiceBinding,
} from "./service-binding.ts";
import { WATCH_CODEC } from "./watch-codec.ts";

const GET_CODEC = { decode: decodeGetRequest, encode: encodeGetResponse };
const GET_MANY_CODEC = { decode: decodeGetManyRequest, encode: encodeGetManyResponse };
const SET_CODEC = { decode: decodeSetRequest, encode: encodeSetResponse };
/** Replies of these two come encoded. */
const LIST_CODEC = { decode: decodeListRequest, encode: (message: Buffer) => message };
const PIPELINE_CODEC = { decode: decodePipelineRequest, encode: (message: Buffer) => message };

/** What the services stand on. */
export interface MeshkvServicesOptions {
  readonly replica: LocalReplica;
  /** Greatest value that a client may write, in bytes. */
  readonly valueBytesMax: number;
  /** The concern of writes that name none. */
  readonly defaultConcern: WriteConcern;
  /** Takes the streams that peers open; without it there are no peers. */
  readonly onPeerStream?: (stream: PeerStream) => void;
  /** The table that is compared with those of peers; without it there is no Verify. */
  readonly table?: ComparedTable;
  /** Counts the operations of pipelines. */
  readonly observe?: OperationObserver;
}

/** The services, for `serveGrpc`, and their health, which starts as not serving. */
export interface MeshkvServices {
  readonly bindings: readonly ServiceBinding[];
  readonly health: HealthService;
  readonly keyValue: KeyValueHandlers;
  readonly watch: WatchHandlers;
  readonly mesh: MeshHandlers;
  readonly conflicts: ConflictHandlers;
  /** Undefined without a table to compare. */
  readonly verify: VerifyHandlers | undefined;
}

/** Binds the services of meshkv, health and reflection. */
export function meshkvServices(options: MeshkvServicesOptions): MeshkvServices {
  const { replica, valueBytesMax, defaultConcern, onPeerStream, table, observe } = options;
  const pipelined = observe && ((operation: string) => observe("grpc", operation));
  const keyValue = new KeyValueHandlers({ replica, valueBytesMax, defaultConcern, pipelined });
  const watch = new WatchHandlers({ replica });
  const conflicts = new ConflictHandlers({ replica, defaultConcern });
  const mesh = new MeshHandlers(replica);
  const verify = table && new VerifyHandlers({ replica, table, reach: (...peer) => new RemoteSide(...peer) });
  const health = new HealthService([KeyValue.typeName, Mesh.typeName]);
  const served = [
    bindService(KeyValue, {
      get: fastUnary(GET_CODEC, (request, call) => keyValue.read(request, call)),
      getMany: fastUnary(GET_MANY_CODEC, (request, call) => keyValue.readMany(request, call)),
      pipeline: fastBidi(PIPELINE_CODEC, (requests, call) => keyValue.pipeline(requests, call)),
      set: fastUnary(SET_CODEC, (request, call) => keyValue.write(request, call)),
      delete: (request, call) => keyValue.delete(request, call),
      list: fastUnary(LIST_CODEC, (request, call) => keyValue.listEncoded(request, call)),
      batch: (request, call) => keyValue.batch(request, call),
      watch: fastServerStream(WATCH_CODEC, (request, call) => watch.watch(request, call)),
      listConflicts: (request, call) => conflicts.list(request, call),
      restoreConflict: (request, call) => conflicts.restore(request, call),
    }),
    bindService(Mesh, {
      status: (request) => mesh.status(request),
      listMembers: (request) => mesh.listMembers(request),
      removeMember: (request, call) => mesh.removeMember(request, call),
      ...(verify && { verify: (request, call) => verify.verify(request, call) }),
    }),
    health.binding,
  ];
  if (onPeerStream !== undefined) served.push(bindPeerService({ onStream: onPeerStream }));
  if (table !== undefined) served.push(bindComparison(new ComparisonHandlers(table)));
  return {
    bindings: [...served, ...reflectionBindings(served.map(({ service }) => service))],
    health,
    keyValue,
    watch,
    mesh,
    conflicts,
    verify,
  };
}

function bindComparison(handlers: ComparisonHandlers): ServiceBinding {
  return bindService(Comparison, {
    summarizeRange: (request) => handlers.summarizeRange(request),
    describeRange: (request) => handlers.describeRange(request),
    describeKeys: (request) => handlers.describeKeys(request),
    checkTable: (request, call) => handlers.checkTable(request, call),
  });
}
