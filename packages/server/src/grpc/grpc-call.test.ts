import { EventEmitter } from "node:events";
import { MeshkvError } from "@meshkv/core";
import { describe, expect, it } from "vitest";
import { GrpcCall } from "./grpc-call.ts";

class FakeCall extends EventEmitter {
  cancelled = false;
  readonly #deadline: number;

  constructor(deadline = Number.POSITIVE_INFINITY) {
    super();
    this.#deadline = deadline;
  }

  /** As the library does. */
  cancel(): void {
    this.cancelled = true;
    this.emit("cancelled");
  }

  getDeadline(): number {
    return this.#deadline;
  }
}

describe("a call", () => {
  it("without a deadline has none", () => {
    const call = new GrpcCall(new FakeCall());
    expect(call.deadlineMs).toBeUndefined();
    expect(() => call.throwIfEnded()).not.toThrow();
    expect(call.signal.aborted).toBe(false);
  });

  it("that is cancelled aborts its signal, made before or after", () => {
    const [early, late] = [new FakeCall(), new FakeCall()];
    const [first, second] = [new GrpcCall(early), new GrpcCall(late)];
    const { signal } = first;
    early.cancel();
    late.cancel();
    expect(signal.reason).toMatchObject({ code: "CANCELLED" });
    expect(second.signal.reason).toMatchObject({ code: "CANCELLED" });
    expect(() => first.throwIfEnded()).toThrow(MeshkvError);
  });

  it("whose deadline has passed says so", () => {
    const past = new FakeCall(Date.now() - 1);
    const call = new GrpcCall(past);
    expect(() => call.throwIfEnded()).toThrow(expect.objectContaining({ code: "DEADLINE_EXCEEDED" }));
    const told = new GrpcCall(past);
    past.cancel();
    expect(told.signal.reason).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  it("that was cancelled before it began is over", () => {
    const gone = Object.assign(new FakeCall(), { cancelled: true });
    expect(new GrpcCall(gone).signal.aborted).toBe(true);
  });

  it("that was answered is not cancelled any more", () => {
    const library = new FakeCall();
    const call = new GrpcCall(library);
    const { signal } = call;
    call.answered();
    library.cancel();
    expect(signal.aborted).toBe(false);
  });
});
