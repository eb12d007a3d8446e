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
  type Operation,
  type OperationResultInit,
  type PipelineRequest,
  type ReadResult,
  type SetResult,
} from "@meshkv/protocol";
import type { OperationMeter } from "../telemetry/operation-observer.ts";
import type { CallInfo } from "./call-info.ts";
import { concernWaitMs } from "./concern-wait.ts";
import type { KeyValueHandlers } from "./key-value-handlers.ts";
import type { CommitTicket, LocalReplica, WriteOutcome, WriteTurn } from "./local-replica.ts";
import { PipelineFlow } from "./pipeline-flow.ts";
import { PipelineOrder } from "./pipeline-order.ts";
import { readResult } from "./read-reply.ts";
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
  setResult,
} from "./write-plan.ts";

/** What a pipeline is made of. */
export interface PipelineParts {
  readonly replica: LocalReplica;
  readonly sessions: Sessions;
  readonly options: PlanOptions;
  /** Answers single calls. */
  readonly unary: Pick<KeyValueHandlers, "read" | "write" | "delete" | "list" | "batch">;
  readonly meters: PipelineMeters;
}

/** What counts operations of a kind; undefined: nobody does. */
export type PipelineMeters = (operation: KnownKind) => OperationMeter | undefined;

type KnownKind = NonNullable<Operation["kind"]["case"]>;
type WriteKind = "set" | "delete" | "batch";

/** A write that was accepted, and what is to be done once its concern is met. */
interface Accepted {
  readonly operation: Operation;
  readonly kind: WriteKind;
  readonly plan: WritePlan;
  readonly session: CallSession;
  readonly ticket: CommitTicket;
  readonly bytes: number;
}

/** The result of an operation. */
type Result =
  | { readonly kind: "get"; readonly result: ReadResult }
  | { readonly kind: "set"; readonly result: SetResult }
  | { readonly kind: "other"; readonly result: NonNullable<OperationResultInit["kind"]> };

/** Answers one stream, with `PipelineResponse`s in their encoding. */
export function answerPipeline(
  parts: PipelineParts,
  requests: AsyncIterable<PipelineRequest>,
  call: CallInfo,
): AsyncIterable<Buffer> {
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
    const { kind } = operation;
    try {
      switch (kind.case) {
        case "get":
          this.#get(operation, kind.value);
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
      this.#failed(operation, error, 0);
      return true;
    }
  }

  #get(operation: Operation, request: GetRequest): void {
    const { replica, sessions, meters } = this.#parts;
    const key = requireKey(request.key);
    const session = sessions.enterNow(request.session);
    if (!(session instanceof CallSession) || !this.#order.mayRead(key)) {
      this.#runLater([key], operation, 0);
      return;
    }
    const entry = replica.get(key);
    session.read(entry);
    const result = readResult(entry, replica.nowMs(), request.includeConflicts, session.text());
    this.flow.begin(0);
    this.flow.finishRead(operation.id, result, 0);
    meters("get")?.counted("OK");
  }

  #write(
    operation: Operation,
    kind: WriteKind,
    plan: WritePlan,
    token: string,
    turn: WriteTurn | undefined,
  ): void {
    const session = this.#parts.sessions.enterNow(token);
    let bytes = 0;
    for (const { key, value } of plan.writes) bytes += key.length + (value?.length ?? 0);
    if (turn === undefined || !(session instanceof CallSession) || !this.#order.mayWrite(plan.writes)) {
      const keys = plan.writes.map(({ key }) => key);
      this.#runLater(keys, operation, bytes);
      return;
    }
    const ticket = turn.commit(plan.writes, plan.mark);
    this.flow.begin(bytes);
    this.#open += 1;
    this.#order.wrote(plan.writes, ticket.durable);
    this.#accepted.push({ operation, kind, plan, session, ticket, bytes });
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
    // Without a call: it ends by its time, and nobody hears of it where the stream has ended.
    this.#parts.replica.acknowledge(write.ticket, { concern, timeoutMs: waitMs, call: undefined }).then(
      (outcome) => this.#answer(write, outcome),
      (error: unknown) => this.#refuse(write, error),
    );
  }

  #answer(write: Accepted, outcome: WriteOutcome): void {
    const { operation, kind, session, bytes } = write;
    session.written(outcome.versions, outcome.replicas > 0);
    this.#finish(operation, resultOf(kind, outcome, session.text()), bytes);
    this.#ended();
  }

  #refuse({ operation, session, bytes }: Accepted, error: unknown): void {
    this.#failed(operation, session.failed(error), bytes);
    this.#ended();
  }

  #ended(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#allAnswered?.();
  }

  #finish({ id, kind }: Operation, { kind: form, result }: Result, bytes: number): void {
    if (form === "get") this.flow.finishRead(id, result, bytes);
    else if (form === "set") this.flow.finishSet(id, result, bytes);
    else this.flow.finish({ id, kind: result }, bytes);
    if (kind.case !== undefined) this.#parts.meters(kind.case)?.counted("OK");
  }

  /** An operation has failed; what is no operating failure ends the stream. */
  #failed({ id, kind }: Operation, error: unknown, bytes: number): void {
    if (!(error instanceof MeshkvError)) return this.flow.fail(error);
    const { code: status, message } = errorToGrpc(error);
    const value = { status, code: error.code, message, metadata: { ...error.metadata } };
    this.flow.finish({ id, kind: { case: "error", value } }, bytes);
    if (kind.case !== undefined) this.#parts.meters(kind.case)?.counted(error.code);
  }

  #runLater(keys: readonly KeyText[], operation: Operation, bytes: number): void {
    this.flow.begin(bytes);
    this.#order.run(keys, () => this.#runSingle(operation, bytes));
  }

  /** Runs an operation for which everything before was awaited, and that everything behind waits for. */
  async #runAlone(operation: Operation): Promise<void> {
    this.flow.begin(0);
    await this.#runSingle(operation, 0);
  }

  /** Runs an operation as the single call would. Never rejects. */
  async #runSingle(operation: Operation, bytes: number): Promise<void> {
    try {
      this.#finish(operation, await this.#single(operation), bytes);
    } catch (error) {
      this.#failed(operation, error, bytes);
    }
  }

  async #single({ kind }: Operation): Promise<Result> {
    const { unary } = this.#parts;
    const call = this.#call;
    switch (kind.case) {
      case "get":
        return { kind: "get", result: await unary.read(kind.value, call) };
      case "set":
        return { kind: "set", result: await unary.write(kind.value, call) };
      case "delete":
        return { kind: "other", result: { case: "delete", value: await unary.delete(kind.value, call) } };
      case "list":
        return { kind: "other", result: { case: "list", value: await unary.list(kind.value, call) } };
      case "batch":
        return { kind: "other", result: { case: "batch", value: await unary.batch(kind.value, call) } };
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

function resultOf(kind: WriteKind, outcome: WriteOutcome, session: string): Result {
  switch (kind) {
    case "set":
      return { kind: "set", result: setResult(outcome, session) };
    case "delete":
      return { kind: "other", result: { case: "delete", value: deleteReply(outcome, session) } };
    case "batch":
      return { kind: "other", result: { case: "batch", value: batchReply(outcome, session) } };
  }
}
