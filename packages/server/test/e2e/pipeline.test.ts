/** Pipelines over the wire: answers to the end, and callers that read nothing. */
import { Client, type ClientDuplexStream, credentials } from "@grpc/grpc-js";
import {
  create,
  KeyValue,
  type MessageInitShape,
  methodCodec,
  type OperationSchema,
  type PipelineRequest,
  PipelineRequestSchema,
  type PipelineResponse,
} from "@meshkv/protocol";
import {
  freePorts,
  type ServerProcess,
  type Stage,
  STAGE_TEST_MS_MAX,
  stageTest as test,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

type OperationInit = MessageInitShape<typeof OperationSchema>;
type Pipeline = ClientDuplexStream<PipelineRequest, PipelineResponse>;

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function oneServer(stage: Stage): Promise<{ server: ServerProcess; open: () => Pipeline }> {
  const [port = 0] = await freePorts(1);
  const server = stage.server({ name: "a", port, peers: [] });
  await server.start();
  const client = new Client(server.address, credentials.createInsecure(), {
    "grpc.enable_http_proxy": 0,
    "grpc.max_receive_message_length": 16 * 1024 * 1024,
  });
  stage.atEnd(async () => client.close());
  const { path, requestSerialize, responseDeserialize } = methodCodec(KeyValue.method.pipeline);
  return {
    server,
    open: () => client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, {}),
  };
}

function send(stream: Pipeline, operations: OperationInit[]): void {
  stream.write(create(PipelineRequestSchema, { operations }));
}

/** Every result until the server has ended the stream, by the id of its operation. */
async function resultsOf(stream: Pipeline): Promise<Map<number, string>> {
  const results = new Map<number, string>();
  for await (const reply of stream as AsyncIterable<PipelineResponse>) {
    for (const { id, kind } of reply.results) {
      const value = kind.case === "get" ? (kind.value.entry?.value.length ?? -1) : undefined;
      results.set(id, value === undefined ? String(kind.case) : `${value} bytes`);
    }
  }
  return results;
}

describe("a pipeline over the wire", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("answers everything that was sent before the caller ended its side", async ({ stage }) => {
    const { server, open } = await oneServer(stage);
    const stream = open();
    const count = 2000;
    for (let id = 0; id < count; id += 100) {
      send(
        stream,
        Array.from({ length: 100 }, (_, offset): OperationInit => {
          const key = bytesOf(`k/${(id + offset) % 300}`);
          if (offset % 10 === 9) return { id: id + offset, kind: { case: "get", value: { key } } };
          return { id: id + offset, kind: { case: "set", value: { key, value: bytesOf("value") } } };
        }),
      );
    }
    send(stream, [{ id: count, kind: { case: "list", value: {} } }]);
    stream.end();
    const results = await resultsOf(stream);
    expect(results.size).toBe(count + 1);
    expect(results.get(count)).toBe("list");
    expect([...results.values()].filter((kind) => kind === "error")).toEqual([]);
    // Every tenth key was only read.
    expect((await server.client.list("k/")).size).toBe(270);
  });

  test("holds little for a caller that reads nothing, and serves others meanwhile", async ({ stage }) => {
    const { server, open } = await oneServer(stage);
    const size = 200_000;
    await server.client.set("large", "x".repeat(size));
    const before = server.memoryBytes();
    const stream = open();
    stream.pause();
    // 200 MB of answers, if anybody made them.
    for (let id = 0; id < 1000; id += 100) {
      send(
        stream,
        Array.from(
          { length: 100 },
          (_, offset): OperationInit => ({
            id: id + offset,
            kind: { case: "get", value: { key: bytesOf("large") } },
          }),
        ),
      );
    }
    stream.end();
    for (let number = 0; number < 50; number += 1) await server.client.set(`other/${number}`, "v");
    expect(server.memoryBytes() - before).toBeLessThan(100 * 1024 * 1024);
    // Whoever reads at last gets all of it.
    const results = await resultsOf(stream);
    expect(results.size).toBe(1000);
    expect(new Set(results.values())).toEqual(new Set([`${size} bytes`]));
  });
});
