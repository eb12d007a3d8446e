/**
 * The stream between two replicas, the same from both ends. It carries frames of any size up to a bound: a large one
 * is cut into several messages, so that the limit on messages, which holds for clients too, can stay small, and a
 * stranger can make this process hold little.
 */
import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { MeshkvError, PEER_MESSAGE_BYTES_MAX } from "@meshkv/core";
import {
  create,
  errorFromGrpc,
  type PeerMessage,
  PeerMessageSchema,
  STATUS_DETAILS_KEY,
} from "@meshkv/protocol";

/** Bytes of a frame that travel in one message. */
export const PEER_FRAGMENT_BYTES = 256 * 1024;
/** Greatest frame before the other side has shown that it is a replica. */
export const PEER_HELLO_BYTES_MAX = 1024 * 1024;

/** What the owner of a stream is told. */
export interface PeerStreamEvents {
  /** A whole frame. The bytes are not used again by the stream. */
  onFrame(frame: Uint8Array): void;
  /** After `send` returned false: there is room again. */
  onDrain(): void;
  /** Once, last of all; undefined when the other side ended the stream in good order. */
  onClose(error: MeshkvError | undefined): void;
}

/** One stream to or from a peer. */
export interface PeerStream {
  /** Address of the other end's socket, or the one that was dialled. */
  readonly remote: string;
  /** Begins to deliver. To be called once, before anything else is expected from the stream. */
  start(events: PeerStreamEvents): void;
  /** Sends a frame. Returns false when no more should be sent before `onDrain`. Does nothing after the end. */
  send(frame: Uint8Array): boolean;
  /** The other side is a replica: frames up to `PEER_MESSAGE_BYTES_MAX` are taken from now on. */
  trust(): void;
  /** Delivers nothing until `resume`: the other side is held back by flow control. */
  pause(): void;
  resume(): void;
  /**
   * Ends the stream after what was sent. The listening end tells the other side the error; gRPC gives the dialling end
   * no way to do so. `onClose` follows at once.
   */
  close(error?: MeshkvError): void;
}

/** What both ends of a stream of @grpc/grpc-js have in common. */
export interface MessageDuplex {
  on(event: "drain", listener: () => void): unknown;
  on(event: "data", listener: (message: PeerMessage) => void): unknown;
  write(message: PeerMessage): boolean;
  pause(): unknown;
  resume(): unknown;
}

/** How one end of a gRPC stream is ended. */
export interface StreamEnd {
  readonly remote: string;
  finish(error: MeshkvError | undefined): void;
}

/** The error that a status stands for; undefined for OK. */
export function errorOfStatus(status: Partial<StatusObject>, remote: string): MeshkvError | undefined {
  if (status.code === 0) return undefined;
  const details =
    status.metadata instanceof Metadata ? status.metadata.get(STATUS_DETAILS_KEY)[0] : undefined;
  return errorFromGrpc(
    {
      code: status.code ?? 2,
      message: status.details ?? "the stream ended without a status",
      details: details instanceof Uint8Array ? details : undefined,
    },
    remote,
  );
}

/** A {@link PeerStream} over either end of a gRPC stream. */
export class GrpcPeerStream implements PeerStream {
  readonly remote: string;
  readonly #duplex: MessageDuplex;
  readonly #end: StreamEnd;
  #events: PeerStreamEvents | undefined;
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  #frameBytesMax = PEER_HELLO_BYTES_MAX;
  #isClosed = false;
  #closedWith: MeshkvError | undefined;

  constructor(duplex: MessageDuplex, end: StreamEnd) {
    this.remote = end.remote;
    this.#duplex = duplex;
    this.#end = end;
  }

  start(events: PeerStreamEvents): void {
    this.#events = events;
    if (this.#isClosed) {
      queueMicrotask(() => events.onClose(this.#closedWith));
      return;
    }
    this.#duplex.on("drain", () => {
      if (!this.#isClosed) events.onDrain();
    });
    this.#duplex.on("data", (message: PeerMessage) => this.#receive(message));
  }

  send(frame: Uint8Array): boolean {
    if (this.#isClosed) return false;
    let hasRoom = true;
    let at = 0;
    do {
      const body = frame.subarray(at, at + PEER_FRAGMENT_BYTES);
      at += PEER_FRAGMENT_BYTES;
      hasRoom = this.#duplex.write(create(PeerMessageSchema, { body, moreFollows: at < frame.length }));
    } while (at < frame.length);
    return hasRoom;
  }

  trust(): void {
    this.#frameBytesMax = PEER_MESSAGE_BYTES_MAX;
  }

  pause(): void {
    this.#duplex.pause();
  }

  resume(): void {
    this.#duplex.resume();
  }

  close(error?: MeshkvError): void {
    if (this.#isClosed) return;
    this.#end.finish(error);
    this.ended(error);
  }

  /** For the ends: the other side, or the network, ended the stream. */
  ended(error: MeshkvError | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closedWith = error;
    this.#parts = [];
    this.#events?.onClose(error);
  }

  #receive({ body, moreFollows }: PeerMessage): void {
    if (this.#isClosed) return;
    this.#partsBytes += body.length;
    if (this.#partsBytes > this.#frameBytesMax) {
      const text = `a frame of more than ${this.#frameBytesMax} bytes from ${this.remote}`;
      this.close(new MeshkvError("TOO_LARGE", text));
      return;
    }
    if (!moreFollows && this.#parts.length === 0) {
      this.#partsBytes = 0;
      this.#events?.onFrame(body);
      return;
    }
    this.#parts.push(body);
    if (moreFollows) return;
    const frame = new Uint8Array(this.#partsBytes);
    let at = 0;
    for (const part of this.#parts) {
      frame.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#partsBytes = 0;
    this.#events?.onFrame(frame);
  }
}
