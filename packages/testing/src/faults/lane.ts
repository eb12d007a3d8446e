/** One pipeline to one server: notes what becomes of every operation that is sent on it. */
import { type ClientDuplexStream, type StatusObject, status as grpcStatus } from "@grpc/grpc-js";
import type { ErrorCode } from "@meshkv/core";
import {
  create,
  isErrorCode,
  type MessageInitShape,
  type OperationResult,
  type OperationSchema,
  type PipelineRequest,
  PipelineRequestSchema,
  type PipelineResponse,
} from "@meshkv/protocol";
import type { Subject } from "./cluster.ts";
import { type Place, Recorder, type WriteResult } from "./recorder.ts";

/** With these a server has refused a write before it did anything. */
export const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  "STORAGE_FULL",
  "CLOCK_SKEW",
  "TOO_LARGE",
  "INVALID_ARGUMENT",
  "OVERLOADED",
]);
/** What is said of a call that found no connection to go out on. */
export const NEVER_SENT = /No connection established|nothing listens there/;
/** Waits for copies end well before a lane is given up. */
const CONCERN_MS_MAX = 400;

/** A write that is to be made; without a value it is a delete. */
export interface Intent {
  readonly key: string;
  readonly value: string | undefined;
}

/** A read, or writes that become one commit. */
export type LaneOperation =
  | { readonly kind: "get"; readonly key: string }
  | { readonly kind: "write"; readonly writes: readonly Intent[]; readonly replicas: number };

interface Sent {
  readonly operation: LaneOperation;
  readonly atMs: number;
  readonly place: Place;
}

type OperationInit = MessageInitShape<typeof OperationSchema>;

/** A stream that is used until its server does not answer any more. */
export class Lane {
  readonly #subject: Subject;
  readonly #recorder: Recorder;
  readonly #stream: ClientDuplexStream<PipelineRequest, PipelineResponse>;
  readonly #sent = new Map<number, Sent>();
  readonly #ended: Promise<void>;
  #next = 1;
  #isOver = false;
  #answers = 0;
  #wake: (() => void) | undefined;

  constructor(subject: Subject, recorder: Recorder) {
    this.#subject = subject;
    this.#recorder = recorder;
    this.#stream = subject.process.client.pipeline();
    this.#stream.on("data", ({ results }: PipelineResponse) => {
      for (const result of results) this.#answered(result);
      this.#answers += results.length;
      this.#wake?.();
    });
    // The status says all.
    this.#stream.on("error", () => undefined);
    this.#ended = new Promise((resolve) => {
      this.#stream.on("status", (status: StatusObject) => {
        this.#end(status);
        resolve();
      });
    });
  }

  /** The stream has ended: nothing more can be sent. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Operations that were answered. */
  get answers(): number {
    return this.#answers;
  }

  /** Sends operations in one message: their writes become one commit group. */
  send(operations: readonly LaneOperation[]): void {
    if (this.#isOver) return;
    const place = Recorder.placeOf(this.#subject);
    const atMs = performance.now();
    const message = operations.map((operation) => {
      const id = this.#next;
      this.#next += 1;
      this.#sent.set(id, { operation, atMs, place });
      return { id, kind: kindOf(operation) };
    });
    this.#stream.write(create(PipelineRequestSchema, { operations: message }));
  }

  /** Resolves to true once at most so many operations are unanswered; to false when nothing is answered for so long. */
  async drained(most: number, patienceMs: number): Promise<boolean> {
    while (this.#sent.size > most) {
      const before = this.#answers;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, patienceMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
      if (this.#isOver || (this.#answers === before && this.#sent.size > most)) break;
    }
    return !this.#isOver && this.#sent.size <= most;
  }

  /** Waits for answers as long as some come, and ends the stream. */
  async close(patienceMs: number): Promise<void> {
    if (await this.drained(0, patienceMs)) this.#stream.end();
    else this.#stream.cancel();
    const timer = setTimeout(() => this.#stream.cancel(), patienceMs);
    await this.#ended;
    clearTimeout(timer);
  }

  #answered({ id, kind }: OperationResult): void {
    const sent = this.#sent.get(id);
    if (sent === undefined) return;
    this.#sent.delete(id);
    const { operation, place, atMs } = sent;
    if (operation.kind === "get") {
      if (kind.case !== "get") return;
      const { entry } = kind.value;
      const found = entry && { version: entry.version, value: new TextDecoder().decode(entry.value) };
      this.#recorder.answered(place, atMs, operation.key, found);
      return;
    }
    if (kind.case === "set" || kind.case === "delete") {
      this.#wrote(sent, "ok", [kind.value.version], kind.value.replicas);
    } else if (kind.case === "batch") {
      this.#wrote(sent, "ok", kind.value.versions, kind.value.replicas);
    } else if (kind.case === "error") {
      const { code, message, metadata } = kind.value;
      const copies = Number(metadata["replicas"] ?? 0);
      const { version } = metadata;
      // It is there, on fewer replicas than were asked for.
      if (code === "CONCERN_NOT_MET" && version !== undefined && copies > 0 && operation.writes.length === 1)
        this.#wrote(sent, "ok", [version], copies);
      else this.#wrote(sent, isRefusal(code, message) ? "fail" : "unknown");
    }
  }

  #wrote(
    { operation, place, atMs }: Sent,
    outcome: WriteResult["outcome"],
    versions: readonly string[] = [],
    replicas = 0,
  ): void {
    if (operation.kind === "get") return;
    const results = operation.writes.map((write, index) => ({
      ...write,
      outcome,
      version: versions[index] ?? "",
    }));
    this.#recorder.wrote(place, atMs, replicas, results);
  }

  #end({ code, details }: StatusObject): void {
    this.#isOver = true;
    const wasSent = code !== grpcStatus.UNAVAILABLE || !NEVER_SENT.test(details) || this.#answers > 0;
    for (const sent of this.#sent.values()) this.#wrote(sent, wasSent ? "unknown" : "fail");
    this.#sent.clear();
    this.#wake?.();
  }
}

function isRefusal(code: string, message: string): boolean {
  return (isErrorCode(code) && REFUSALS.has(code)) || NEVER_SENT.test(message);
}

function kindOf(operation: LaneOperation): NonNullable<OperationInit["kind"]> {
  if (operation.kind === "get") return { case: "get", value: { key: bytesOf(operation.key) } };
  const { writes, replicas } = operation;
  const timeout = { seconds: 0n, nanos: CONCERN_MS_MAX * 1_000_000 };
  const concern =
    replicas > 1 ? { kind: { case: "replicas" as const, value: replicas }, timeout } : undefined;
  const [first] = writes;
  if (writes.length > 1 || first === undefined) {
    return { case: "batch", value: { writes: writes.map(writeOf), concern } };
  }
  const key = bytesOf(first.key);
  return first.value === undefined
    ? { case: "delete", value: { target: { case: "key", value: key }, concern } }
    : { case: "set", value: { key, value: bytesOf(first.value), concern } };
}

function writeOf({ key, value }: Intent): {
  readonly kind:
    | { case: "set"; value: { key: Uint8Array; value: Uint8Array } }
    | { case: "delete"; value: { target: { case: "key"; value: Uint8Array } } };
} {
  const target = bytesOf(key);
  return value === undefined
    ? { kind: { case: "delete", value: { target: { case: "key", value: target } } } }
    : { kind: { case: "set", value: { key: target, value: bytesOf(value) } } };
}

/** Text as keys and values carry it. */
export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

const encoder = new TextEncoder();
