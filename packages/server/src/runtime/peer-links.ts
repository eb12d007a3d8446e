/** The links of one run: gives each stream a number, carries frames in and out, and bounds what may wait. */
import {
  decodeMessage,
  encodeMessage,
  type ErrorCode,
  FormatError,
  type Host,
  type LinkId,
  MeshkvError,
  type PeerMessage,
  ProtocolError,
} from "@meshkv/core";
import type { PeerStream } from "../grpc/peer-stream.ts";
import type { EventLog } from "./event-log.ts";
import type { RunMeter } from "./run-meter.ts";

/** Opens a stream to a peer, or throws. */
export type DialPeer = (address: string, timeoutMs: number, signal: AbortSignal) => Promise<PeerStream>;

const DIAL_TIMEOUT_MS = 3000;

export class PeerLinks {
  readonly #host: Host;
  readonly #dialPeer: DialPeer;
  readonly #log: EventLog;
  /** Carries on after an event: runs what the host now wants done. */
  readonly #pump: () => void;
  readonly #meter: RunMeter | undefined;
  readonly #streams = new Map<LinkId, PeerStream>();
  readonly #stopping = new AbortController();
  #next: LinkId = 1;
  #paused = false;

  constructor(host: Host, dialPeer: DialPeer, log: EventLog, pump: () => void, meter?: RunMeter) {
    this.#host = host;
    this.#dialPeer = dialPeer;
    this.#log = log;
    this.#pump = pump;
    this.#meter = meter;
  }

  /** Takes a stream that a peer opened. */
  accept(stream: PeerStream): void {
    if (this.#stopping.signal.aborted) {
      stream.start(DEAF);
      stream.close(new MeshkvError("UNAVAILABLE", "this replica is closing"));
      return;
    }
    this.#open(stream, { dialled: false, invited: false, address: "" }, this.#host.active.generation);
  }

  dial(address: string, invited: boolean, generation: number): void {
    this.#dialPeer(address, DIAL_TIMEOUT_MS, this.#stopping.signal).then(
      (stream) => {
        if (this.#stopping.signal.aborted) {
          stream.start(DEAF);
          stream.close();
        } else this.#open(stream, { dialled: true, invited, address }, generation);
      },
      (error: unknown) => {
        if (this.#stopping.signal.aborted) return;
        this.#log.debug({ address, message: String(error) }, "peer not reached");
        this.#host.dialFailed(address, generation, Date.now());
        this.#pump();
      },
    );
  }

  #open(
    stream: PeerStream,
    how: { readonly dialled: boolean; readonly invited: boolean; readonly address: string },
    generation: number,
  ): void {
    const link = this.#next;
    this.#next += 1;
    this.#streams.set(link, stream);
    stream.start({
      onFrame: (frame) => this.#receive(link, stream, frame),
      onDrain: () => {
        this.#host.linkBlocked(link, false, Date.now());
        this.#pump();
      },
      onClose: () => {
        if (!this.#streams.delete(link)) return;
        this.#host.linkClosed(link, Date.now());
        this.#pump();
      },
    });
    if (this.#paused) stream.pause();
    this.#host.linkOpened({ link, ...how }, generation, Date.now());
    this.#pump();
  }

  #receive(link: LinkId, stream: PeerStream, frame: Uint8Array): void {
    this.#meter?.received(frame.length);
    let message: PeerMessage;
    try {
      message = decodeMessage(frame);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      const isForeign = error instanceof ProtocolError;
      const what = isForeign ? "peer of another protocol" : "peer sent a broken message";
      this.#log.warn({ peer: stream.remote, message: error.message }, what);
      this.#streams.delete(link);
      const code = isForeign ? "UNSUPPORTED_PROTOCOL" : "INTERNAL";
      stream.close(new MeshkvError(code, `${isForeign ? "" : "broken message: "}${error.message}`));
      this.#host.linkClosed(link, Date.now());
      this.#pump();
      return;
    }
    this.#host.received(link, message, Date.now());
    // Whoever greeted and was not refused may send what a replica sends.
    if (message.kind === "hello") stream.trust();
    this.#pump();
  }

  send(link: LinkId, message: PeerMessage): void {
    const stream = this.#streams.get(link);
    if (stream === undefined) return;
    const frame = encodeMessage(message);
    this.#meter?.sent(frame.length);
    if (!stream.send(frame)) this.#host.linkBlocked(link, true, Date.now());
  }

  close(link: LinkId, code: ErrorCode | undefined, message: string): void {
    const stream = this.#streams.get(link);
    this.#streams.delete(link);
    stream?.close(code === undefined ? undefined : new MeshkvError(code, message));
  }

  /** Holds all peers back, or lets them speak again: what they send must find room. */
  setPaused(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    for (const stream of this.#streams.values()) {
      if (paused) stream.pause();
      else stream.resume();
    }
  }

  /** Ends everything; nothing is told to the host any more. */
  stop(): void {
    this.#stopping.abort();
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.close(new MeshkvError("UNAVAILABLE", "this replica is closing"));
  }
}

const DEAF = { onFrame: () => undefined, onDrain: () => undefined, onClose: () => undefined };
