/** The dialling end of streams between replicas. */
import { Client, credentials, type StatusObject } from "@grpc/grpc-js";
import { BATCH_BYTES_MAX, MeshkvError } from "@meshkv/core";
import { methodCodec, Peer } from "@meshkv/protocol";
import { errorOfStatus, GrpcPeerStream, type PeerStream } from "./peer-stream.ts";

const CONNECT = methodCodec(Peer.method.connect);

/** How long the other side may take to answer the end of a stream, in milliseconds. */
const CLOSE_MS_MAX = 5000;

/** Options of a channel that carries one stream to a peer. */
const CHANNEL_OPTIONS = {
  // A stream that began again by itself would go on in the middle of a conversation.
  "grpc.enable_retries": 0,
  "grpc.enable_http_proxy": 0,
  "grpc.enable_channelz": 0,
  // Dialling again is the caller's affair: the channel itself must not go on in the background.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.service_config_disable_resolution": 1,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.keepalive_permit_without_calls": 0,
  "grpc.max_receive_message_length": BATCH_BYTES_MAX,
  "grpc.max_send_message_length": BATCH_BYTES_MAX,
};

/**
 * Opens a stream to a peer. Resolves when the other side has taken it.
 * @param address `host:port`.
 * @throws UNAVAILABLE when nobody answers there, or not within `timeoutMs`; what the other side refuses with; the
 * signal's reason when it aborts before.
 */
export async function dialPeer(address: string, timeoutMs: number, signal: AbortSignal): Promise<PeerStream> {
  signal.throwIfAborted();
  const client = new Client(address, credentials.createInsecure(), CHANNEL_OPTIONS);
  const call = client.makeBidiStreamRequest(
    CONNECT.path,
    CONNECT.requestSerialize,
    CONNECT.responseDeserialize,
  );
  let lastResort: NodeJS.Timeout | undefined;
  const stream = new GrpcPeerStream(call, {
    remote: address,
    finish() {
      call.end();
      lastResort = setTimeout(() => call.cancel(), CLOSE_MS_MAX);
      lastResort.unref();
    },
  });
  // Every end comes as a status, and an error beside it: the status says all.
  call.on("error", () => undefined);
  await new Promise<void>((resolve, reject) => {
    const giveUp = (reason: Error): void => {
      reject(reason);
      call.cancel();
    };
    const abort = (): void => giveUp(signal.reason as Error);
    const text = `${address} does not answer within ${timeoutMs} ms`;
    const timer = setTimeout(() => giveUp(new MeshkvError("UNAVAILABLE", text, { address })), timeoutMs);
    signal.addEventListener("abort", abort);
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    };
    call.once("metadata", () => {
      settle();
      resolve();
    });
    call.on("status", (status: StatusObject) => {
      settle();
      const error = errorOfStatus(status, address);
      reject(error ?? new MeshkvError("UNAVAILABLE", `${address} has closed the stream`, { address }));
      stream.ended(error);
      clearTimeout(lastResort);
      client.close();
    });
  });
  return stream;
}
