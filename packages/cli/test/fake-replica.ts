/** A replica that keeps its keys in a map: real gRPC on loopback, nothing behind it. */
import { Metadata, Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import {
  create,
  type DeleteRequest,
  type DescMethod,
  type Entry,
  EntrySchema,
  errorToGrpc,
  KeyValue,
  type ListRequest,
  Member_State,
  Mesh,
  MeshkvError,
  type MessageInitShape,
  type MessageShape,
  methodCodec,
  type SetRequest,
  STATUS_DETAILS_KEY,
  StatusResponse_State,
  timestampFromMs,
} from "@meshkv/protocol";

type Handler<Method extends DescMethod> = (
  request: MessageShape<Method["input"]>,
) => MessageInitShape<Method["output"]> | Promise<MessageInitShape<Method["output"]>>;

const ORIGIN = "00000000000000aa";
const PEER = "00000000000000bb";
/** So that lists of a few keys have pages too. */
const PAGE_SIZE_MAX = 3;

/** A running fake; its calls can be watched and made to fail. */
export class FakeReplica {
  readonly entries = new Map<string, Entry>();
  /** Names of the methods that were called, in order. */
  readonly calls: string[] = [];
  /** Requests of the set calls, in order. */
  readonly sets: SetRequest[] = [];
  /** Thrown by every call when set. */
  refusal: MeshkvError | undefined;
  /** Awaited by every call. */
  barrier: Promise<void> = Promise.resolve();
  removed: { replicaId: string; force: boolean } | undefined;
  #counter = 0;
  #onCall: (() => void) | undefined;
  readonly #server = new Server();
  #address = "";

  get address(): string {
    return this.#address;
  }

  static async start(): Promise<FakeReplica> {
    const replica = new FakeReplica();
    await replica.#start();
    return replica;
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  /** Resolves at the next call. */
  nextCall(): Promise<void> {
    return new Promise((resolve) => {
      this.#onCall = resolve;
    });
  }

  put(key: string | Uint8Array, value: string | Uint8Array, fields: Partial<Entry> = {}): Entry {
    this.#counter += 1;
    const entry = create(EntrySchema, {
      key: bytesOf(key),
      value: bytesOf(value),
      version: this.#counter.toString(16).padStart(16, "0") + ORIGIN,
      origin: ORIGIN,
      updateTime: timestampFromMs(Date.UTC(2026, 0, 2, 3, 4, 5)),
    });
    Object.assign(entry, fields);
    this.entries.set(textOf(entry.key), entry);
    return entry;
  }

  async #start(): Promise<void> {
    this.#register(KeyValue.method.get, ({ key }) => {
      const entry = this.entries.get(textOf(key));
      return entry === undefined ? {} : { entry };
    });
    this.#register(KeyValue.method.set, (request) => this.#set(request));
    this.#register(KeyValue.method.delete, (request) => this.#delete(request));
    this.#register(KeyValue.method.list, (request) => this.#list(request));
    this.#register(Mesh.method.status, () => ({ ...STATUS, members: MEMBERS }));
    this.#register(Mesh.method.listMembers, () => ({ members: MEMBERS }));
    this.#register(Mesh.method.removeMember, ({ replicaId, force }) => {
      if (replicaId !== PEER)
        throw new MeshkvError("MEMBER_NOT_FOUND", `no member has the id "${replicaId}"`);
      this.removed = { replicaId, force };
      return {};
    });
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    this.#address = `127.0.0.1:${port}`;
  }

  #register<Method extends DescMethod>(method: Method, handler: Handler<Method>): void {
    const codec = methodCodec(method);
    type Request = MessageShape<Method["input"]>;
    type Reply = MessageShape<Method["output"]>;
    const answer = async (
      call: ServerUnaryCall<Request, Reply>,
      reply: sendUnaryData<Reply>,
    ): Promise<void> => {
      try {
        this.calls.push(method.name);
        this.#onCall?.();
        await this.barrier;
        if (this.refusal !== undefined) throw this.refusal;
        reply(null, create<Method["output"]>(method.output, await handler(call.request)));
      } catch (error) {
        reply(statusOf(error));
      }
    };
    this.#server.register(
      codec.path,
      (call: ServerUnaryCall<Request, Reply>, reply: sendUnaryData<Reply>) => void answer(call, reply),
      codec.responseSerialize,
      codec.requestDeserialize,
      "unary",
    );
  }

  #set(request: SetRequest): MessageInitShape<typeof KeyValue.method.set.output> {
    this.sets.push(request);
    const current = this.entries.get(textOf(request.key));
    const condition = request.condition?.kind;
    const holds =
      condition?.case === undefined ||
      (condition.case === "ifAbsent" && current === undefined) ||
      (condition.case === "ifVersion" && current?.version === condition.value);
    if (!holds) {
      const metadata = current === undefined ? {} : { version: current.version };
      throw new MeshkvError("CONDITION_FAILED", "the condition does not hold", metadata);
    }
    return { version: this.put(request.key, request.value).version, replicas: 1 };
  }

  #delete({ target, all }: DeleteRequest): MessageInitShape<typeof KeyValue.method.delete.output> {
    if (target.case === "key") return { deleted: this.entries.delete(textOf(target.value)) ? 1n : 0n };
    const prefix = textOf(target.value ?? new Uint8Array());
    if (prefix === "" && !all) throw new MeshkvError("INVALID_ARGUMENT", "an empty prefix");
    const keys = [...this.entries.keys()].filter((key) => key.startsWith(prefix));
    for (const key of keys) this.entries.delete(key);
    return { deleted: BigInt(keys.length) };
  }

  #list(request: ListRequest): MessageInitShape<typeof KeyValue.method.list.output> {
    const [prefix, start, end] = [textOf(request.prefix), textOf(request.start), textOf(request.end)];
    const keys = [...this.entries.keys()]
      .filter((key) => key.startsWith(prefix) && key >= start && (end === "" || key < end))
      .toSorted();
    if (request.reverse) keys.reverse();
    const first = request.pageToken === "" ? 0 : keys.indexOf(request.pageToken);
    const size = Math.min(PAGE_SIZE_MAX, request.pageSize === 0 ? PAGE_SIZE_MAX : request.pageSize);
    const entries = keys.slice(first, first + size).flatMap((key) => this.entries.get(key) ?? []);
    const shown = request.keysOnly
      ? entries.map((entry) => ({ ...entry, value: new Uint8Array() }))
      : entries;
    return { entries: shown, nextPageToken: keys[first + size] ?? "" };
  }
}

const MEMBERS = [
  { replicaId: ORIGIN, address: "127.0.0.1:4000", state: Member_State.SELF },
  {
    replicaId: PEER,
    address: "127.0.0.1:4001",
    state: Member_State.UNREACHABLE,
    lagMs: 90_000n,
    lagRecords: 12n,
    holdsHorizon: true,
  },
];

const STATUS = {
  replicaId: ORIGIN,
  meshName: "default",
  meshId: "00000000000000cc",
  state: StatusResponse_State.READY,
  serverVersion: "0.1.0",
  uptime: { seconds: 3725n, nanos: 0 },
  keys: 1n,
  storageBytes: 1_572_864n,
  digest: "0".repeat(32),
  clockOffsetMs: -3n,
  horizonHeldBy: PEER,
};

function statusOf(error: unknown): { code: number; details: string; metadata: Metadata } {
  const known = error instanceof MeshkvError ? error : new MeshkvError("INTERNAL", String(error));
  const { code, message, details } = errorToGrpc(known);
  const metadata = new Metadata();
  metadata.set(STATUS_DETAILS_KEY, Buffer.from(details));
  return { code, details: message, metadata };
}

function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}

/** One character per byte, so that the order of texts is the order of bytes. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
