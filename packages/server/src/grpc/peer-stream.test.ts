import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { MeshkvError } from "@meshkv/core";
import { freePorts } from "@meshkv/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { formatHostPort } from "./connection-gate.ts";
import { dialPeer } from "./dial-peer.ts";
import { bindPeerService } from "./peer-service.ts";
import { PEER_FRAGMENT_BYTES, PEER_HELLO_BYTES_MAX, type PeerStream } from "./peer-stream.ts";
import { type GrpcServer, serveGrpc } from "./serve-grpc.ts";

const STOP_MS = 20_000;
const DIAL_MS = 20_000;
const MIB = 1024 * 1024;
const logger = { error: () => undefined, warn: () => undefined };
const forever = new AbortController().signal;

/** One end of a stream with everything that it was told, to be awaited. */
class Recorder {
  readonly stream: PeerStream;
  readonly frames: Uint8Array[] = [];
  drains = 0;
  readonly closed: Promise<MeshkvError | undefined>;
  #wake = (): void => {};

  constructor(stream: PeerStream) {
    this.stream = stream;
    let close = (_error: MeshkvError | undefined): void => {};
    this.closed = new Promise((resolve) => (close = resolve));
    stream.start({
      onFrame: (frame) => {
        this.frames.push(frame);
        this.#wake();
      },
      onDrain: () => {
        this.drains += 1;
        this.#wake();
      },
      onClose: (error) => close(error),
    });
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}

let server: GrpcServer;
let accepted: Recorder[];
let onAccept = (): void => {};

beforeEach(async () => {
  accepted = [];
  const onStream = (stream: PeerStream): void => {
    accepted.push(new Recorder(stream));
    onAccept();
  };
  const services = [bindPeerService({ onStream, streamsMax: 2 })];
  server = await serveGrpc({ address: { host: "127.0.0.1", port: 0 }, services, logger });
});

afterEach(() => server.stop(STOP_MS));

async function connect(): Promise<{ dialled: Recorder; listening: Recorder }> {
  const arrived = new Promise<void>((resolve) => (onAccept = resolve));
  const dialled = new Recorder(await dialPeer(formatHostPort(server.address), DIAL_MS, forever));
  await arrived;
  const listening = accepted.at(-1);
  if (listening === undefined) throw new Error("no stream arrived");
  return { dialled, listening };
}

describe("a stream between peers", () => {
  it("carries frames of every size in both directions, in order", async () => {
    const { dialled, listening } = await connect();
    const sizes = [
      0,
      1,
      PEER_FRAGMENT_BYTES - 1,
      PEER_FRAGMENT_BYTES,
      PEER_FRAGMENT_BYTES + 1,
      3 * PEER_FRAGMENT_BYTES,
    ];
    const frames = sizes.map((size, index) => new Uint8Array(size).fill(index + 1));
    for (const frame of frames) {
      dialled.stream.send(frame);
      listening.stream.send(frame);
    }
    await Promise.all([dialled, listening].map((end) => end.until(() => end.frames.length === sizes.length)));
    for (const end of [dialled, listening]) {
      expect(end.frames.map((frame) => frame.length)).toEqual(sizes);
      expect(end.frames.every((frame, index) => Buffer.compare(frame, frames[index] ?? frame) === 0)).toBe(
        true,
      );
    }
    dialled.stream.close();
    expect(await listening.closed).toBeUndefined();
    expect(await dialled.closed).toBeUndefined();
  });

  it("takes large frames only from those it trusts", async () => {
    const { dialled, listening } = await connect();
    listening.stream.trust();
    dialled.stream.send(new Uint8Array(20 * MIB));
    await listening.until(() => listening.frames.length === 1);
    expect(listening.frames[0]).toHaveLength(20 * MIB);
    listening.stream.send(new Uint8Array(PEER_HELLO_BYTES_MAX + 1));
    expect(await dialled.closed).toMatchObject({ code: "TOO_LARGE" });
    await listening.closed;
  });

  it("holds a sender back that is faster than its reader", async () => {
    const { dialled, listening } = await connect();
    listening.stream.pause();
    let sent = 0;
    // Buffers of both ends and of the network are bounded, so this ends.
    do sent += 1;
    while (dialled.stream.send(new Uint8Array(64 * 1024)) && sent < 100_000);
    expect(sent).toBeLessThan(100_000);
    listening.stream.resume();
    await dialled.until(() => dialled.drains > 0);
    await listening.until(() => listening.frames.length === sent);
    listening.stream.close();
    await dialled.closed;
  });

  it("tells the dialling end why the listening end refused", async () => {
    const { dialled, listening } = await connect();
    listening.stream.close(new MeshkvError("WRONG_MESH", "another mesh", { mesh: "x" }));
    expect(await dialled.closed).toMatchObject({
      code: "WRONG_MESH",
      message: "another mesh",
      metadata: { mesh: "x" },
    });
    expect(await listening.closed).toMatchObject({ code: "WRONG_MESH" });
  });

  it("delivers what was sent before the end", async () => {
    const { dialled, listening } = await connect();
    dialled.stream.send(Uint8Array.of(1));
    dialled.stream.close(new MeshkvError("ROLLED_BACK", "refused"));
    expect(await listening.closed).toBeUndefined();
    expect(listening.frames).toEqual([Uint8Array.of(1)]);
    expect(dialled.stream.send(Uint8Array.of(2))).toBe(false);
  });

  it("ends on both sides when the server stops, or is cut", async () => {
    const { dialled, listening } = await connect();
    await server.stop(STOP_MS);
    expect(await listening.closed).toMatchObject({ code: "UNAVAILABLE" });
    expect(await dialled.closed).toMatchObject({ code: "UNAVAILABLE" });
  });

  it("is refused when too many are open, and taken again later", async () => {
    const first = await connect();
    const second = await connect();
    const third = dialPeer(formatHostPort(server.address), DIAL_MS, forever);
    await expect(third).rejects.toMatchObject({ code: "OVERLOADED" });
    first.listening.stream.close();
    await first.dialled.closed;
    const fourth = await connect();
    for (const { dialled } of [second, fourth]) dialled.stream.close();
    await Promise.all([second.listening.closed, fourth.listening.closed]);
  });
});

describe("dialling", () => {
  it("fails where nobody listens, and says so", async () => {
    const [port = 0] = await freePorts(1);
    const dial = dialPeer(`127.0.0.1:${port}`, DIAL_MS, forever);
    await expect(dial).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("nothing listens there"),
    });
  });

  it("fails where nobody answers in time", async () => {
    const silent = createServer().listen({ host: "127.0.0.1", port: 0 });
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    await expect(dialPeer(`127.0.0.1:${port}`, 1, forever)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    silent.close();
  });

  it("can be given up", async () => {
    const silent = createServer().listen({ host: "127.0.0.1", port: 0 });
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const controller = new AbortController();
    const reason = new MeshkvError("CANCELLED", "enough");
    const dial = dialPeer(`127.0.0.1:${port}`, DIAL_MS, controller.signal);
    controller.abort(reason);
    await expect(dial).rejects.toBe(reason);
    await expect(dialPeer(`127.0.0.1:${port}`, DIAL_MS, controller.signal)).rejects.toBe(reason);
    silent.close();
  });
});
