/**
 * Results of one pipeline on their way out, and how much may be under way. Results are sent as they come, all that have
 * come since the last message in one; where nobody takes them, no more operations are read.
 */
import { PIPELINE_BYTES_MAX, PIPELINE_OPERATIONS_MAX, PIPELINE_REPLY_BYTES } from "@meshkv/core";
import type { MessageInitShape, OperationResultSchema, PipelineResponseSchema } from "@meshkv/protocol";

/** The result of one operation. */
export type Result = MessageInitShape<typeof OperationResultSchema>;

/** What a result takes beside its value, about. */
const RESULT_BYTES = 128;

export class PipelineFlow {
  #results: Result[] = [];
  #sizes: number[] = [];
  /** Operations that were begun and whose results were not sent yet. */
  #operations = 0;
  /** Bytes of requests under way, and of results that were not sent yet. */
  #bytes = 0;
  #isEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #wakeSender: (() => void) | undefined;
  #wakeReader: (() => void) | undefined;

  /** Whether another operation may begin. */
  get hasRoom(): boolean {
    return this.#operations < PIPELINE_OPERATIONS_MAX && this.#bytes < PIPELINE_BYTES_MAX;
  }

  /** Resolves when another operation may begin. */
  async room(): Promise<void> {
    while (!this.hasRoom) {
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
  }

  /** An operation begins. */
  begin(requestBytes: number): void {
    this.#operations += 1;
    this.#bytes += requestBytes;
  }

  /** An operation has ended; `valueBytes` of its result. */
  finish(result: Result, requestBytes: number, valueBytes = 0): void {
    const size = RESULT_BYTES + valueBytes;
    this.#bytes += size - requestBytes;
    this.#results.push(result);
    this.#sizes.push(size);
    this.#wakeSender?.();
  }

  /** Nothing more comes. */
  end(): void {
    this.#isEnded = true;
    this.#wakeSender?.();
  }

  /** The whole stream fails; what has not been sent is lost. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wakeSender?.();
  }

  /** The messages to send, as they come. */
  async *messages(): AsyncGenerator<MessageInitShape<typeof PipelineResponseSchema>> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#results.length > 0) {
        yield { results: this.#take() };
        // The message has found room on the wire.
        this.#wakeReader?.();
      } else if (this.#isEnded) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wakeSender = resolve;
        });
      }
    }
  }

  #take(): Result[] {
    let count = 0;
    let bytes = 0;
    for (const size of this.#sizes) {
      if (count > 0 && bytes + size > PIPELINE_REPLY_BYTES) break;
      bytes += size;
      count += 1;
    }
    this.#operations -= count;
    this.#bytes -= bytes;
    this.#sizes.splice(0, count);
    if (count < this.#results.length) return this.#results.splice(0, count);
    const all = this.#results;
    this.#results = [];
    return all;
  }
}
