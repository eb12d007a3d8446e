/** The listening end of streams between replicas. */
import { Metadata, type ServerDuplexStream } from "@grpc/grpc-js";
import { MeshkvError } from "@meshkv/core";
import { methodCodec, Peer, type PeerMessage } from "@meshkv/protocol";
import { statusOf } from "./grpc-failure.ts";
import { GrpcPeerStream, type PeerStream } from "./peer-stream.ts";
import type { ServiceBinding } from "./service-binding.ts";

/** What becomes of streams that peers open. */
export interface PeerServiceOptions {
  /** Must call `start` on the stream. */
  readonly onStream: (stream: PeerStream) => void;
  /** Streams at a time; more are answered with OVERLOADED. */
  readonly streamsMax?: number;
}

/** A mesh is tens of replicas, each with one stream, and a few more while they meet. */
const PEER_STREAMS_MAX = 256;

/** Serves `meshkv.peer.v1.Peer`. */
export function bindPeerService({
  onStream,
  streamsMax = PEER_STREAMS_MAX,
}: PeerServiceOptions): ServiceBinding {
  let open = 0;
  const connect = (call: ServerDuplexStream<PeerMessage, PeerMessage>, stopping: AbortSignal): void => {
    const stream = new GrpcPeerStream(call, {
      remote: call.getPeer(),
      finish(error) {
        if (call.destroyed) return;
        if (error === undefined) call.end();
        else call.emit("error", statusOf(error));
      },
    });
    const stop = (): void => stream.close(new MeshkvError("UNAVAILABLE", "this replica is stopping"));
    open += 1;
    call.once("close", () => {
      open -= 1;
      stopping.removeEventListener("abort", stop);
      stream.ended(new MeshkvError("UNAVAILABLE", `the connection from ${stream.remote} was cut`));
    });
    call.once("end", () => stream.close());
    if (open > streamsMax) {
      stream.close(
        new MeshkvError("OVERLOADED", `over ${streamsMax} streams of peers are open here: try later`),
      );
      return;
    }
    if (stopping.aborted) {
      stop();
      return;
    }
    stopping.addEventListener("abort", stop);
    // Tells the dialling end that its stream is taken.
    call.sendMetadata(new Metadata());
    onStream(stream);
  };
  return {
    service: Peer,
    definition: { connect: methodCodec(Peer.method.connect) },
    implementation: ({ stopping }) => ({
      connect: (call: ServerDuplexStream<PeerMessage, PeerMessage>) => connect(call, stopping),
    }),
  };
}
