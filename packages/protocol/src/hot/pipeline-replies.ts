import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { OperationResultSchema } from "../gen/meshkv/v1/meshkv_pb.ts";
import {
  type ReadResult,
  type SetResult,
  sizeOfRead,
  sizeOfSet,
  writeRead,
  writeSet,
} from "./encode-reply.ts";
import { fieldSize, varintSize, WireWriter } from "./wire-writer.ts";

/** The result of an operation as a message. */
export type OperationResultInit = MessageInitShape<typeof OperationResultSchema>;

/** Some results as one encoded `PipelineResponse`. */
export interface PipelineReply {
  readonly message: Buffer;
  /** Results in it. */
  readonly count: number;
}

/** Room that is made for a message before it is needed, in bytes: as much as the last one took, between these. */
const ROOM_MIN = 512;
const ROOM_MAX = 64 * 1024;

/** Results of a pipeline, encoded as they come, and taken as whole messages. */
export class PipelineReplies {
  readonly #messageBytes: number;
  /** Messages that are full, oldest first. */
  readonly #full: PipelineReply[] = [];
  #writer = new WireWriter(ROOM_MIN);
  #count = 0;

  /** @param messageBytes size of a message above which another begins; a single result may be larger */
  constructor(messageBytes: number) {
    this.#messageBytes = messageBytes;
  }

  /** Whether there is anything to take. */
  get isEmpty(): boolean {
    return this.#count === 0 && this.#full.length === 0;
  }

  /** Adds the answer to a `get`; returns the bytes that it takes. */
  addRead(id: number, result: ReadResult): number {
    const size = sizeOfRead(result);
    const whole = sizeWithId(id, size);
    writeRead(this.#begin(id, 0x12, size, whole), result);
    return fieldSize(whole);
  }

  /** Adds the answer to a `set`; returns the bytes that it takes. */
  addSet(id: number, result: SetResult): number {
    const size = sizeOfSet(result);
    const whole = sizeWithId(id, size);
    writeSet(this.#begin(id, 0x1a, size, whole), result);
    return fieldSize(whole);
  }

  /** Adds any result; returns the bytes that it takes. */
  add(result: OperationResultInit): number {
    const bytes = toBinary(OperationResultSchema, create(OperationResultSchema, result));
    this.#room(bytes.length).raw(bytes);
    return fieldSize(bytes.length);
  }

  /** Takes the next message; undefined: there is no result. */
  take(): PipelineReply | undefined {
    const full = this.#full.shift();
    if (full !== undefined) return full;
    return this.#count === 0 ? undefined : this.#seal();
  }

  #begin(id: number, tag: number, size: number, whole: number): WireWriter {
    const writer = this.#room(whole);
    writer.number(0x08, id);
    writer.head(tag, size);
    return writer;
  }

  /** Begins a result of so many bytes. */
  #room(length: number): WireWriter {
    const size = fieldSize(length);
    if (this.#count > 0 && this.#writer.length + size > this.#messageBytes) this.#full.push(this.#seal());
    this.#count += 1;
    const writer = this.#writer;
    writer.reserve(size);
    writer.head(0x0a, length);
    return writer;
  }

  #seal(): PipelineReply {
    const reply = { message: this.#writer.view(), count: this.#count };
    // The buffer goes away with the message.
    this.#writer = new WireWriter(Math.min(Math.max(ROOM_MIN, reply.message.length), ROOM_MAX));
    this.#count = 0;
    return reply;
  }
}

function sizeWithId(id: number, size: number): number {
  return (id === 0 ? 0 : 1 + varintSize(id)) + fieldSize(size);
}
