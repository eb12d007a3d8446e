/**
 * `Pipeline`: many operations under way on one stream. The writes of one message become one commit group, which is what
 * makes it fast; whatever cannot be done at once runs by itself, as the single call would, with its key held for it.
 * A list, a prefix delete, and a batch behind something that still runs, wait for all before them, and what follows
 * waits for them.
 */
import { type KeyText, MeshkvError } from "@meshkv/core";
import {
  errorToGrpc,
  type GetRequest,
  type GetResponseSchema,
  type MessageInitShape,
  type Operation,
  type PipelineRequest,
  type PipelineResponseSchema,
} from "@meshkv/protocol";
import type { CallInfo } from "./call-info.ts";
import { concernWaitMs } from "./concern-wait.ts";
import type { KeyValueHandlers } from "./key-value-handlers.ts";
import type { CommitTicket, LocalReplica, WriteOutcome, WriteTurn } from "./local-replica.ts";
import { PipelineFlow, type Result } from "./pipeline-flow.ts";
import { PipelineOrder } from "./pipeline-order.ts";
import { readReply } from "./read-reply.ts";
import { CallSession, type Sessions } from "./session.ts";
import { invalid, requireKey } from "./validate.ts";
import {
  batchReply,
  deleteReply,
  planBatch,
  planDelete,
  type PlanOptions,
  planSet,
  type WritePlan,
  setReply,
} from "./write-plan.ts";

/** What a pipeline is made of. */
export interface PipelineParts {
  readonly replica: LocalReplica;
  readonly sessions: Sessions;
  readonly options: PlanOptions;
  /** Answers single calls. */
  readonly unary: Pick<KeyValueHandlers, "get" | "set" | "delete" | "list" | "batch">;
}

type GetReply = MessageInitShape<typeof GetResponseSchema>;
type WriteKind = "set" | "delete" | "batch";

/** A write that was accepted, and what is to be done once its concern is met. */
interface Accepted {
  readonly id: number;
  readonly kind: WriteKind;
  readonly plan: WritePlan;
  readonly session: CallSession;
  readonly ticket: CommitTicket;
  readonly keys: readonly KeyText[];
  readonly bytes: number;
}

/** Answers one stream. */
export function answerPipeline(
  parts: PipelineParts,
  requests: AsyncIterable<PipelineRequest>,
  call: CallInfo,
): AsyncIterable<MessageInitShape<typeof PipelineResponseSchema>> {
  const stream = new PipelineStream(parts, call);
  void stream.readAll(requests);
  return stream.flow.messages();
}

class PipelineStream {
  readonly flow = new PipelineFlow();
  readonly #parts: PipelineParts;
  readonly #call: CallInfo;
  readonly #order = new PipelineOrder();
  /** Writes of the current turn. */
  #accepted: Accepted[] = [];
  /** Accepted writes that were not answered yet. */
  #open = 0;
  #allAnswered: (() => void) | undefined;

  constructor(parts: PipelineParts, call: CallInfo) {
    this.#parts = parts;
    this.#call = call;
  }

  /** Reads until the caller has said all, and ends when all is answered. Never rejects. */
  async readAll(requests: AsyncIterable<PipelineRequest>): Promise<void> {
    try {
      for await (const { operations } of requests) {
        for (let index = 0; index < operations.length; ) {
          if (!this.flow.hasRoom) await this.flow.room();
          index = this.#runSome(operations, index);
          const next = operations[index];
          if (next === undefined) break;
          // It stopped for want of room, or before an operation for which everything waits.
          if (this.flow.hasRoom) {
            await this.#order.quiet();
            if (isBarrier(next)) {
              await this.#runAlone(next);
              index += 1;
            }
          }
        }
      }
      await this.#order.quiet();
      if (this.#open > 0) {
        await new Promise<void>((resolve) => {
          this.#allAnswered = resolve;
        });
      }
      this.flow.end();
    } catch (error) {
      this.flow.fail(error);
    }
  }

  /** Runs operations in one turn of the replica, from `index` on; returns the first that has to wait. */
  #runSome(operations: readonly Operation[], index: number): number {
    let next = index;
    const run = (turn: WriteTurn | undefined): { readonly next: number } => {
      for (; next < operations.length && this.flow.hasRoom; next += 1) {
        const operation = operations[next];
        if (operation === undefined || !this.#begin(operation, turn)) break;
      }
      return { next };
    };
    let isDone = false;
    try {
      isDone = hasWrite(operations, index) && this.#parts.replica.writeTurn(run) !== undefined;
    } catch (error) {
      // Writes are refused: each single one will hear it.
      if (!(error instanceof MeshkvError) || next > index) throw error;
    }
    if (!isDone) run(undefined);
    this.#answerWhenDurable();
    return next;
  }

  /** Begins an operation; false when it has to wait for all before it. */
  #begin(operation: Operation, turn: WriteTurn | undefined): boolean {
    const { id, kind } = operation;
    try {
      switch (kind.case) {
        case "get":
          this.#get(id, kind.value);
          return true;
        case "set": {
          const plan = planSet(kind.value, this.#parts.options, this.#parts.replica.nowMs());
          this.#write(operation, "set", plan, kind.value.session, turn);
          return true;
        }
        case "delete": {
          const { target } = kind.value;
          if (target.case !== "key") return false;
          const plan = planDelete(kind.value, target.value, this.#parts.options);
          this.#write(operation, "delete", plan, kind.value.session, turn);
          return true;
        }
        case "batch": {
          if (this.#order.isRunning) return false;
          const plan = planBatch(kind.value, this.#parts.options, this.#parts.replica.nowMs());
          this.#write(operation, "batch", plan, kind.value.session, turn);
          return true;
        }
        case "list":
          return false;
        case undefined:
          throw invalid("operation", "is none that is known here: set get, set, delete, list or batch");
      }
    } catch (error) {
      this.flow.begin(0);
      this.flow.finish(failed(id, error), 0);
      return true;
    }
  }

  #get(id: number, request: GetRequest): void {
    const { replica, sessions, unary } = this.#parts;
    const key = requireKey(request.key);
    const session = sessions.enterNow(request.session);
    if (!(session instanceof CallSession) || !this.#order.mayRead(key)) {
      this.#runLater([key], id, 0, async () => ({
        id,
        kind: { case: "get", value: await unary.get(request, this.#call) },
      }));
      return;
    }
    const entry = replica.get(key);
    session.read(entry);
    const value = readReply(entry, replica.nowMs(), request.includeConflicts);
    value.session = session.text();
    this.flow.begin(0);
    this.flow.finish({ id, kind: { case: "get", value } }, 0, bytesOf(value));
  }

  #write(
    operation: Operation,
    kind: WriteKind,
    plan: WritePlan,
    token: string,
    turn: WriteTurn | undefined,
  ): void {
    const { id } = operation;
    const session = this.#parts.sessions.enterNow(token);
    const keys = plan.writes.map(({ key }) => key);
    let bytes = 0;
    for (const { key, value } of plan.writes) bytes += key.length + (value?.length ?? 0);
    if (turn === undefined || !(session instanceof CallSession) || !this.#order.mayWrite(keys)) {
      this.#runLater(keys, id, bytes, () => this.#single(operation));
      return;
    }
    const ticket = turn.commit(plan.writes, plan.mark);
    this.flow.begin(bytes);
    this.#open += 1;
    this.#order.wrote(keys, ticket);
    this.#accepted.push({ id, kind, plan, session, ticket, keys, bytes });
  }

  /** Answers the writes of a turn. Those that nobody else has to acknowledge are answered together. */
  #answerWhenDurable(): void {
    const accepted = this.#accepted;
    const [first] = accepted;
    if (first === undefined) return;
    this.#accepted = [];
    const together: Accepted[] = [];
    for (const write of accepted) {
      const { concern } = write.plan.concern;
      const isLocal = concern.kind === "replicas" && concern.count === 1;
      if (isLocal && write.ticket.durable === first.ticket.durable) together.push(write);
      else this.#answerAlone(write);
    }
    if (together.length === 0) return;
    first.ticket.durable.then(
      () => {
        for (const write of together) {
          const { versions, existed } = write.ticket;
          this.#answer(write, { versions, existed, replicas: 1 });
        }
      },
      (error: unknown) => {
        for (const write of together) this.#refuse(write, error);
      },
    );
  }

  #answerAlone(write: Accepted): void {
    const { concern, timeoutMs } = write.plan.concern;
    const waitMs = concernWaitMs(timeoutMs, this.#call, Date.now());
    // Without a signal: it ends by its time, and nobody hears of it where the stream has ended.
    this.#parts.replica.acknowledge(write.ticket, { concern, timeoutMs: waitMs, signal: undefined }).then(
      (outcome) => this.#answer(write, outcome),
      (error: unknown) => this.#refuse(write, error),
    );
    write.ticket.durable.then(
      () => this.#order.settled(write.keys, write.ticket),
      () => this.#order.settled(write.keys, write.ticket),
    );
  }

  #answer(write: Accepted, outcome: WriteOutcome): void {
    const { id, kind, session, keys, ticket, bytes } = write;
    if (outcome.replicas > 0) this.#order.settled(keys, ticket);
    session.written(outcome.versions, outcome.replicas > 0);
    this.flow.finish(resultOf(id, kind, outcome, session.text()), bytes);
    this.#ended();
  }

  #refuse({ id, keys, ticket, session, bytes }: Accepted, error: unknown): void {
    this.#order.settled(keys, ticket);
    try {
      this.flow.finish(failed(id, session.failed(error)), bytes);
    } catch (bug) {
      this.flow.fail(bug);
    }
    this.#ended();
  }

  #ended(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#allAnswered?.();
  }

  #runLater(keys: readonly KeyText[], id: number, bytes: number, work: () => Promise<Result>): void {
    this.flow.begin(bytes);
    this.#order.run(keys, async () => {
      try {
        const result = await work().catch((error: unknown) => failed(id, error));
        this.flow.finish(result, bytes, result.kind?.case === "get" ? bytesOf(result.kind.value) : 0);
      } catch (error) {
        this.flow.fail(error);
      }
    });
  }

  /** Runs an operation for which everything before was awaited, and that everything behind waits for. */
  async #runAlone(operation: Operation): Promise<void> {
    this.flow.begin(0);
    const result = await this.#single(operation).catch((error: unknown) => failed(operation.id, error));
    let bytes = 0;
    if (result.kind?.case === "list") {
      for (const { key, value } of result.kind.value.entries ?? [])
        bytes += (key?.length ?? 0) + (value?.length ?? 0) + 128;
    }
    this.flow.finish(result, 0, bytes);
  }

  /** Answers an operation as the single call would. */
  async #single({ id, kind }: Operation): Promise<Result> {
    const { unary } = this.#parts;
    const call = this.#call;
    switch (kind.case) {
      case "get":
        return { id, kind: { case: "get", value: await unary.get(kind.value, call) } };
      case "set":
        return { id, kind: { case: "set", value: await unary.set(kind.value, call) } };
      case "delete":
        return { id, kind: { case: "delete", value: await unary.delete(kind.value, call) } };
      case "list":
        return { id, kind: { case: "list", value: await unary.list(kind.value, call) } };
      case "batch":
        return { id, kind: { case: "batch", value: await unary.batch(kind.value, call) } };
      case undefined:
        throw invalid("operation", "is none that is known here");
    }
  }
}

/** Operations that wait for all before them, and that all behind wait for. */
function isBarrier({ kind }: Operation): boolean {
  return kind.case === "list" || (kind.case === "delete" && kind.value.target.case !== "key");
}

function hasWrite(operations: readonly Operation[], from: number): boolean {
  for (let index = from; index < operations.length; index += 1) {
    const name = operations[index]?.kind.case;
    if (name === "set" || name === "delete" || name === "batch") return true;
  }
  return false;
}

function resultOf(id: number, kind: WriteKind, outcome: WriteOutcome, session: string): Result {
  switch (kind) {
    case "set":
      return { id, kind: { case: "set", value: setReply(outcome, session) } };
    case "delete":
      return { id, kind: { case: "delete", value: deleteReply(outcome, session) } };
    case "batch":
      return { id, kind: { case: "batch", value: batchReply(outcome, session) } };
  }
}

/** The result of an operation that failed. What is no operating failure is thrown again. */
function failed(id: number, error: unknown): Result {
  if (!(error instanceof MeshkvError)) throw error;
  const { code: status, message } = errorToGrpc(error);
  const value = { status, code: error.code, message, metadata: { ...error.metadata } };
  return { id, kind: { case: "error", value } };
}

function bytesOf({ entry, conflicts }: GetReply): number {
  let bytes = (entry?.key?.length ?? 0) + (entry?.value?.length ?? 0);
  for (const { key, value } of conflicts ?? []) bytes += (key?.length ?? 0) + (value?.length ?? 0);
  return bytes;
}
