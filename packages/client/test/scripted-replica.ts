/** A replica that answers as a test tells it to: real gRPC on loopback, nothing behind it. */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import {
  Metadata,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerWritableStream,
  type ServerUnaryCall,
} from "@grpc/grpc-js";
import {
  create,
  type DescMethod,
  errorToGrpc,
  Health,
  HealthCheckResponse_ServingStatus as ServingStatus,
  KeyValue,
  type Member,
  MemberSchema,
  Member_State,
  Mesh,
  MeshkvError,
  type MessageInitShape,
  type MessageShape,
  methodCodec,
  type PipelineRequest,
  type PipelineResponse,
  PipelineResponseSchema,
  type SetRequest,
  STATUS_DETAILS_KEY,
} from "@meshkv/protocol";
import { freePorts } from "@meshkv/testing";

/** What to do with a set: answer a version, refuse, never answer, or cut the connection; or whatever a function says. */
export type SetScript = SetStep | (() => SetStep);
type SetStep = "answer" | "hang" | "cut" | MeshkvError;

/** One running replica. */
export class ScriptedReplica {
  readonly replicaId: string;
  /** Sets that came, in order, over calls and pipelines. */
  readonly sets: SetRequest[] = [];
  /** How long each unary set could wait for its answer when it came, in milliseconds. */
  readonly patience: number[] = [];
  /** Gets that came. */
  gets = 0;
  /** Messages that came over pipelines. */
  pipelineMessages = 0;
  /** Watches and comparisons that came: all are refused. */
  streams = 0;
  /** Whether gets are never answered. */
  hangsGets = false;
  /** What the next sets meet; the last one stays. Replicas may share one script. */
  script: SetScript[] = ["answer"];
  isServing = true;
  others: ScriptedReplica[] = [];
  address = "";
  #server = new Server();
  #version = 0;

  private constructor(replicaId: string) {
    this.replicaId = replicaId;
  }

  /** Starts replicas that are each other's members. */
  static async mesh(count: number): Promise<ScriptedReplica[]> {
    const replicas = Array.from({ length: count }, () => new ScriptedReplica(randomBytes(8).toString("hex")));
    // Not just any port: one that stays free while the replica is stopped.
    const ports = await freePorts(count);
    for (const [index, replica] of replicas.entries()) {
      replica.address = `127.0.0.1:${ports[index] ?? 0}`;
      replica.others = replicas.filter((other) => other !== replica);
    }
    await Promise.all(replicas.map((replica) => replica.start()));
    return replicas;
  }

  /** Listens, on the same port each time. */
  async start(): Promise<void> {
    this.#server = new Server();
    this.#register(Health.method.check, () => ({
      status: this.isServing ? ServingStatus.SERVING : ServingStatus.NOT_SERVING,
    }));
    this.#register(Mesh.method.listMembers, () => ({ members: this.#members() }));
    this.#register(KeyValue.method.get, () => {
      this.gets += 1;
      return this.hangsGets ? new Promise(() => undefined) : {};
    });
    this.#register(KeyValue.method.set, (request, deadlineMs) => {
      this.patience.push(deadlineMs - Date.now());
      return this.#set(request);
    });
    for (const method of [KeyValue.method.watch, Mesh.method.verify]) this.#refuse(method);
    const codec = methodCodec(KeyValue.method.pipeline);
    this.#server.register(
      codec.path,
      (stream: ServerDuplexStream<PipelineRequest, PipelineResponse>) => this.#pipeline(stream),
      codec.responseSerialize,
      codec.requestDeserialize,
      "bidi",
    );
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(this.address, ServerCredentials.createInsecure(), (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  /** Cuts every connection, and listens no more. */
  stop(): void {
    this.#server.forceShutdown();
  }

  #members(): Member[] {
    return [this as ScriptedReplica, ...this.others].map(({ replicaId, address }) =>
      create(MemberSchema, {
        replicaId,
        address,
        state: replicaId === this.replicaId ? Member_State.SELF : Member_State.CONNECTED,
      }),
    );
  }

  async #set(request: SetRequest): Promise<MessageInitShape<typeof KeyValue.method.set.output>> {
    this.sets.push(request);
    const next = this.script.length > 1 ? this.script.shift() : this.script[0];
    const script = typeof next === "function" ? next() : next;
    if (script instanceof MeshkvError) throw script;
    if (script === "cut") this.stop();
    if (script !== "answer") return new Promise(() => undefined);
    this.#version += 1;
    return { version: this.#version.toString(16).padStart(32, "0"), replicas: 1 };
  }

  #pipeline(stream: ServerDuplexStream<PipelineRequest, PipelineResponse>): void {
    stream.on("data", ({ operations }: PipelineRequest) => {
      this.pipelineMessages += 1;
      for (const { id, kind } of operations) {
        if (kind.case === "get") {
          this.gets += 1;
          stream.write(
            create(PipelineResponseSchema, { results: [{ id, kind: { case: "get", value: {} } }] }),
          );
        } else if (kind.case === "set") {
          void this.#set(kind.value).then((value) => {
            stream.write(create(PipelineResponseSchema, { results: [{ id, kind: { case: "set", value } }] }));
          });
        }
      }
    });
    stream.on("end", () => stream.end());
    stream.on("error", () => undefined);
  }

  #refuse<Method extends DescMethod>(method: Method): void {
    const codec = methodCodec(method);
    this.#server.register(
      codec.path,
      (stream: ServerWritableStream<MessageShape<Method["input"]>, MessageShape<Method["output"]>>) => {
        this.streams += 1;
        stream.emit("error", statusOf(new MeshkvError("OVERLOADED", "too many")));
      },
      codec.responseSerialize,
      codec.requestDeserialize,
      "serverStream",
    );
  }

  #register<Method extends DescMethod>(
    method: Method,
    handler: (
      request: MessageShape<Method["input"]>,
      deadlineMs: number,
    ) => MessageInitShape<Method["output"]> | Promise<MessageInitShape<Method["output"]>>,
  ): void {
    const codec = methodCodec(method);
    type Reply = MessageShape<Method["output"]>;
    const answer = async (
      call: ServerUnaryCall<MessageShape<Method["input"]>, Reply>,
      reply: sendUnaryData<Reply>,
    ): Promise<void> => {
      try {
        reply(
          null,
          create<Method["output"]>(method.output, await handler(call.request, Number(call.getDeadline()))),
        );
      } catch (error) {
        if (!(error instanceof MeshkvError)) throw error;
        reply(statusOf(error));
      }
    };
    this.#server.register(
      codec.path,
      (call: ServerUnaryCall<MessageShape<Method["input"]>, Reply>, reply: sendUnaryData<Reply>) =>
        void answer(call, reply),
      codec.responseSerialize,
      codec.requestDeserialize,
      "unary",
    );
  }
}

function statusOf(error: MeshkvError): { code: number; details: string; metadata: Metadata } {
  const { code, message, details } = errorToGrpc(error);
  const metadata = new Metadata();
  metadata.set(STATUS_DETAILS_KEY, Buffer.from(details));
  return { code, details: message, metadata };
}
