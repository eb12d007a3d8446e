import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Client, status } from "@grpc/grpc-js";
import {
  create,
  FileDescriptorProtoSchema,
  fromBinary,
  KeyValue,
  type MessageInitShape,
  methodCodec,
  ServerReflection,
  ServerReflectionAlpha,
  type ServerReflectionRequestSchema,
  type ServerReflectionResponse,
} from "@meshkv/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FakeReplica } from "../../test/fake-replica.ts";
import { testClient } from "../../test/grpc-client.ts";
import { formatHostPort } from "./connection-gate.ts";
import { meshkvServices } from "./meshkv-services.ts";
import { type GrpcServer, serveGrpc } from "./serve-grpc.ts";

const BUF = fileURLToPath(new URL("../../../../node_modules/.bin/buf", import.meta.url));
const logger = { error: () => undefined, warn: () => undefined };
type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;

let server: GrpcServer;
let client: Client;

beforeAll(async () => {
  const concern = { kind: "replicas", count: 1 } as const;
  const options = { replica: new FakeReplica(), valueBytesMax: 1 << 20, defaultConcern: concern };
  const services = meshkvServices({ ...options, onPeerStream: (stream) => stream.close() }).bindings;
  server = await serveGrpc({ address: { host: "127.0.0.1", port: 0 }, services, logger });
  client = testClient(server.address);
});

afterAll(async () => {
  client.close();
  await server.stop(20_000);
});

/** Asks all questions on one stream, ends it, and collects the answers. */
async function ask(
  questions: readonly Question[],
  service: typeof ServerReflection = ServerReflection,
): Promise<ServerReflectionResponse[]> {
  const method = service.method.serverReflectionInfo;
  const { path, requestSerialize, responseDeserialize } = methodCodec(method);
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  for (const messageRequest of questions) stream.write(create(method.input, { messageRequest }));
  stream.end();
  const answers: ServerReflectionResponse[] = [];
  for await (const answer of stream as AsyncIterable<ServerReflectionResponse>) answers.push(answer);
  return answers;
}

function filesOf({ messageResponse }: ServerReflectionResponse): string[] {
  if (messageResponse.case !== "fileDescriptorResponse") throw new Error(`answered ${messageResponse.case}`);
  return messageResponse.value.fileDescriptorProto.map(
    (bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name,
  );
}

const MESHKV_FILES = [
  "meshkv/v1/meshkv.proto",
  "google/protobuf/duration.proto",
  "google/protobuf/timestamp.proto",
];

describe.each([
  ["v1", ServerReflection],
  // Only the names of the types differ.
  ["v1alpha", ServerReflectionAlpha as unknown as typeof ServerReflection],
])("reflection %s", (_version, service) => {
  it("lists what clients may call", async () => {
    const [answer] = await ask([{ case: "listServices", value: "" }], service);
    expect(answer?.messageResponse).toMatchObject({
      case: "listServicesResponse",
      value: {
        service: [
          { name: "grpc.health.v1.Health" },
          { name: "grpc.reflection.v1.ServerReflection" },
          { name: "grpc.reflection.v1alpha.ServerReflection" },
          { name: "meshkv.peer.v1.Peer" },
          { name: "meshkv.v1.KeyValue" },
          { name: "meshkv.v1.Mesh" },
        ],
      },
    });
  });

  it("sends files with what they import, whatever names them", async () => {
    const answers = await ask(
      [
        { case: "fileByFilename", value: "meshkv/v1/meshkv.proto" },
        { case: "fileContainingSymbol", value: KeyValue.typeName },
        { case: "fileContainingSymbol", value: "meshkv.v1.KeyValue.Get" },
        { case: "fileContainingSymbol", value: "meshkv.v1.ListConflictsResponse.Conflict" },
        { case: "fileContainingSymbol", value: ".meshkv.v1.Entry.key" },
        { case: "fileContainingSymbol", value: "meshkv.v1.WriteConcern.Level" },
      ],
      service,
    );
    expect(answers.map(filesOf)).toEqual(answers.map(() => MESHKV_FILES));
    expect(answers).toHaveLength(6);
  });

  it("says what is not known, and goes on", async () => {
    const answers = await ask(
      [
        { case: "fileContainingSymbol", value: "no.such.Thing" },
        { case: "fileByFilename", value: "" },
        { case: "fileContainingExtension", value: { containingType: "x", extensionNumber: 1 } },
        { case: "allExtensionNumbersOfType", value: "no.such.Thing" },
        { case: undefined },
        { case: "allExtensionNumbersOfType", value: "meshkv.v1.Entry" },
      ],
      service,
    );
    expect(
      answers.map(({ messageResponse: { case: kind, value } }) =>
        kind === "errorResponse" ? value.errorCode : kind,
      ),
    ).toEqual([
      status.NOT_FOUND,
      status.NOT_FOUND,
      status.NOT_FOUND,
      status.NOT_FOUND,
      status.INVALID_ARGUMENT,
      "allExtensionNumbersResponse",
    ]);
  });
});

function bufCurl(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child: ChildProcess = spawn(BUF, ["curl", "--http2-prior-knowledge", "--protocol", "grpc", ...args]);
  let [stdout, stderr] = ["", ""];
  child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

// buf ships as a binary for the common platforms only.
describe.skipIf(!existsSync(BUF))("buf curl, knowing nothing but the address", () => {
  it("lists the methods, and calls them", async () => {
    const url = `http://${formatHostPort(server.address)}`;
    const methods = await bufCurl("--list-methods", url);
    expect(methods.stdout).toContain("meshkv.v1.KeyValue/Get\n");
    expect(methods.code).toBe(0);
    const key = Buffer.from("k").toString("base64");
    const set = await bufCurl(
      "-d",
      JSON.stringify({ key, value: key, ttl: "60s" }),
      `${url}/meshkv.v1.KeyValue/Set`,
    );
    expect(JSON.parse(set.stdout)).toMatchObject({
      version: expect.stringMatching(/^[0-9a-f]{32}$/),
      replicas: 1,
    });
    const get = await bufCurl("-d", JSON.stringify({ key }), `${url}/meshkv.v1.KeyValue/Get`);
    expect(JSON.parse(get.stdout)).toMatchObject({
      entry: { key, value: key, expireTime: expect.any(String) },
    });
    const wrong = await bufCurl("-d", "{}", `${url}/meshkv.v1.KeyValue/Get`);
    expect(wrong.stderr).toContain('"code": "invalid_argument"');
    expect(wrong.stderr).toContain("google.rpc.ErrorInfo");
  });
});
