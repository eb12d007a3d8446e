/**
 * Results of one pipeline on their way out, and how much may be under way. Results are sent as they come, all that have
 * come since the last message in one; where nobody takes them, no more operations are read.
 */
import { PIPELINE_BYTES_MAX, PIPELINE_OPERATIONS_MAX, PIPELINE_REPLY_BYTES } from "@meshkv/core";
import { type OperationResultInit, PipelineReplies, type ReadResult, type SetResult } from "@meshkv/protocol";

export class PipelineFlow {
  readonly #replies = new PipelineReplies(PIPELINE_REPLY_BYTES);
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

  /** A read has ended. */
  finishRead(id: number, result: ReadResult, requestBytes: number): void {
    this.#finished(this.#replies.addRead(id, result), requestBytes);
  }

  /** A write of one key has ended. */
  finishSet(id: number, result: SetResult, requestBytes: number): void {
    this.#finished(this.#replies.addSet(id, result), requestBytes);
  }

  /** Any other operation has ended. */
  finish(result: OperationResultInit, requestBytes: number): void {
    this.#finished(this.#replies.add(result), requestBytes);
  }

  #finished(replyBytes: number, requestBytes: number): void {
    this.#bytes += replyBytes - requestBytes;
    if (this.#wakeSender === undefined) return;
    this.#wakeSender();
    this.#wakeSender = undefined;
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

  /** The messages to send, encoded, as they come. */
  async *messages(): AsyncGenerator<Buffer> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const reply = this.#replies.take();
      if (reply !== undefined) {
        this.#operations -= reply.count;
        this.#bytes -= reply.message.length;
        yield reply.message;
        // The message has found room on the wire.
        this.#wakeReader?.();
      } else if (this.#isEnded) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wakeSender = resolve;
        });
        this.#wakeSender = undefined;
      }
    }
  }
}
