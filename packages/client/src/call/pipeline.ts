/**
 * Many calls as operations of one stream. What is asked for in one turn of the event loop goes out as one message, and the
 * server commits it as one group: that is where the speed comes from.
 */
import {
  create,
  isErrorCode,
  MeshkvError,
  type MessageInitShape,
  type Operation,
  type OperationError,
  type OperationResult,
  OperationSchema,
  PipelineRequestSchema,
} from "@meshkv/protocol";
import { CallFailure, failureOfReply } from "./call-failure.ts";
import type { Channel, RunningCall, RunningPipeline } from "./channel.ts";

/** Operations in one message: enough to fill a group commit, few enough to keep the server's turns short. */
const MESSAGE_OPERATIONS_MAX = 256;
/** Bytes of keys and values in one message, about. */
const MESSAGE_BYTES_MAX = 256 * 1024;

/** Operations sent and not answered: enough for several groups. What waits here can still go to another replica. */
const IN_FLIGHT_MAX = 1024;

/** What an operation asks for. */
export type OperationKind = Operation["kind"];
/** What an operation may be answered with, apart from an error. */
export type OperationReply = Extract<OperationResult["kind"], { case: "get" | "set" | "delete" }>["value"];

interface Waiting {
  readonly resolve: (reply: OperationReply) => void;
  readonly reject: (failure: CallFailure) => void;
}

/** The pipeline to one replica. Opens its stream when it is first used, and again after it broke. */
export class Pipeline {
  readonly #channel: Channel;
  readonly #waiting = new Map<number, Waiting>();
  #queue: { readonly operation: Operation; readonly bytes: number }[] = [];
  #stream: RunningPipeline | undefined;
  #isFlushing = false;
  #isBlocked = false;
  #lastId = 0;
  /** False when the replica does not know pipelines. */
  isSupported = true;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Adds an operation; `bytes` is about what it weighs. */
  submit(kind: OperationKind, bytes: number): RunningCall<OperationReply> {
    this.#lastId = (this.#lastId + 1) >>> 0;
    const id = this.#lastId;
    const reply = new Promise<OperationReply>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    const init: MessageInitShape<typeof OperationSchema> = { id, kind };
    this.#queue.push({ operation: create(OperationSchema, init), bytes });
    this.#flushSoon();
    const cancel = (): void => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      this.#queue = this.#queue.filter(({ operation }) => operation.id !== id);
      waiting?.reject(new CallFailure(new MeshkvError("CANCELLED", "the call was given up"), "unknown"));
    };
    return { reply, cancel };
  }

  /** Ends the stream when what is under way has been answered. */
  end(): void {
    this.#stream?.end();
  }

  /** Ends the stream at once. */
  cancel(): void {
    this.#stream?.cancel();
  }

  #flushSoon(): void {
    if (this.#isFlushing || this.#isBlocked) return;
    this.#isFlushing = true;
    // Behind the promises of this turn: callers that were answered together ask together.
    setImmediate(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#queue.length > 0 && !this.#isBlocked) {
      const room = IN_FLIGHT_MAX - (this.#waiting.size - this.#queue.length);
      if (room <= 0) return;
      const stream = (this.#stream ??= this.#open());
      let [count, bytes] = [0, 0];
      const countMax = Math.min(this.#queue.length, room, MESSAGE_OPERATIONS_MAX);
      while (count < countMax && bytes < MESSAGE_BYTES_MAX) {
        bytes += this.#queue[count]?.bytes ?? 0;
        count += 1;
      }
      const operations = this.#queue.slice(0, count).map(({ operation }) => operation);
      this.#queue = this.#queue.slice(count);
      if (!stream.send(create(PipelineRequestSchema, { operations }))) this.#block(stream);
    }
  }

  #block(stream: RunningPipeline): void {
    this.#isBlocked = true;
    stream.onDrain(() => {
      if (this.#stream !== stream) return;
      this.#isBlocked = false;
      this.#flushSoon();
    });
  }

  #open(): RunningPipeline {
    const stream = this.#channel.pipeline({
      onReply: ({ results }) => {
        for (const result of results) this.#settle(result);
        if (this.#queue.length > 0) this.#flushSoon();
      },
      onEnd: (failure) => {
        if (this.#stream === stream) this.#broken(failure);
      },
    });
    return stream;
  }

  #settle({ id, kind }: OperationResult): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    if (kind.case === "get" || kind.case === "set" || kind.case === "delete") waiting.resolve(kind.value);
    else if (kind.case === "error") waiting.reject(failureOfReply(errorOf(kind.value)));
    else waiting.reject(new CallFailure(new MeshkvError("INTERNAL", "a reply of another kind"), "final"));
  }

  /** The stream is over: what was not sent can go elsewhere without a doubt. */
  #broken(failure: CallFailure | undefined): void {
    const address = this.#channel.address;
    const cause =
      failure ??
      new CallFailure(new MeshkvError("UNAVAILABLE", `${address} ended the stream`, { address }), "unknown");
    // A server that does not serve the method answers so before it has read anything.
    if (/does not serve this call/.test(cause.error.message)) this.isSupported = false;
    const unsent = new Set(this.#queue.map(({ operation }) => operation.id));
    const waiting = [...this.#waiting];
    this.#stream = undefined;
    this.#isBlocked = false;
    this.#queue = [];
    this.#waiting.clear();
    const sentFate = this.isSupported ? (cause.fate === "final" ? "unknown" : cause.fate) : "unsent";
    for (const [id, { reject }] of waiting) {
      reject(new CallFailure(cause.error, unsent.has(id) ? "unsent" : sentFate));
    }
  }
}

function errorOf({ code, message, metadata }: OperationError): MeshkvError {
  return new MeshkvError(isErrorCode(code) ? code : "INTERNAL", message, metadata);
}
