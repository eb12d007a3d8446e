/**
 * Server reflection, v1 and v1alpha (the same messages under two names). Every answer carries the file that was asked
 * for and all that it imports. (@grpc/reflection 1.0.4 fails on files that import well-known types.)
 */
import {
  type DescFile,
  type DescService,
  FileDescriptorProtoSchema,
  GRPC_STATUS,
  type MessageInitShape,
  ServerReflection,
  ServerReflectionAlpha,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
  toBinary,
} from "@meshkv/protocol";
import { bindService, type ServiceBinding } from "./service-binding.ts";

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

/** Serves the definitions of the services, and its own. */
export function reflectionBindings(services: readonly DescService[]): ServiceBinding[] {
  const all = [...services, ServerReflection, ServerReflectionAlpha];
  const index = new DescriptorIndex(all.map((service) => service.file));
  const serviceNames = all
    .map(({ typeName }) => ({ name: typeName }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

  const answerTo = (question: ServerReflectionRequest["messageRequest"]): Answer => {
    switch (question.case) {
      case "listServices":
        return { case: "listServicesResponse", value: { service: serviceNames } };
      case "fileByFilename":
        return filesAnswer(index.fileByName(question.value), question.value);
      case "fileContainingSymbol":
        return filesAnswer(index.fileBySymbol(question.value), question.value);
      case "fileContainingExtension":
        return errorAnswer(GRPC_STATUS.NOT_FOUND, "no extensions are defined here");
      case "allExtensionNumbersOfType":
        if (index.fileBySymbol(question.value) === undefined) return filesAnswer(undefined, question.value);
        return { case: "allExtensionNumbersResponse", value: { baseTypeName: question.value } };
      case undefined:
        return errorAnswer(GRPC_STATUS.INVALID_ARGUMENT, "the request asks for nothing that is known here");
    }
  };

  async function* answers(
    requests: AsyncIterable<ServerReflectionRequest>,
  ): AsyncGenerator<MessageInitShape<typeof ServerReflectionResponseSchema>> {
    for await (const request of requests) {
      yield {
        validHost: request.host,
        originalRequest: request,
        messageResponse: answerTo(request.messageRequest),
      };
    }
  }

  return [
    bindService(ServerReflection, { serverReflectionInfo: answers }),
    // Field by field the same as v1; only the type names differ, and those are not on the wire.
    bindService(ServerReflectionAlpha, { serverReflectionInfo: answers as never }),
  ];
}

function errorAnswer(errorCode: number, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

function filesAnswer(file: DescFile | undefined, asked: string): Answer {
  if (file === undefined) {
    return errorAnswer(GRPC_STATUS.NOT_FOUND, `nothing is known of ${JSON.stringify(asked.slice(0, 200))}`);
  }
  const files = [...withImports(file)].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: files } };
}

function withImports(file: DescFile, found = new Set<DescFile>()): Set<DescFile> {
  if (found.has(file)) return found;
  found.add(file);
  for (const imported of file.dependencies) withImports(imported, found);
  return found;
}

/** Finds files by their names and by the names of what they define. */
class DescriptorIndex {
  readonly #byName = new Map<string, DescFile>();
  readonly #bySymbol = new Map<string, DescFile>();

  constructor(roots: readonly DescFile[]) {
    for (const root of roots) for (const file of withImports(root)) this.#add(file);
  }

  fileByName(name: string): DescFile | undefined {
    return this.#byName.get(name);
  }

  /** Of a service, method, message, field, oneof, enum or enum value, by full name. */
  fileBySymbol(symbol: string): DescFile | undefined {
    const name = symbol.startsWith(".") ? symbol.slice(1) : symbol;
    // What is not indexed by itself is a part of what is: a field, a method, an enum value.
    return this.#bySymbol.get(name) ?? this.#bySymbol.get(name.slice(0, Math.max(0, name.lastIndexOf("."))));
  }

  #add(file: DescFile): void {
    this.#byName.set(file.proto.name, file);
    const messages = [...file.messages];
    for (let message = messages.pop(); message !== undefined; message = messages.pop()) {
      this.#bySymbol.set(message.typeName, file);
      messages.push(...message.nestedMessages);
      for (const nested of message.nestedEnums) this.#bySymbol.set(nested.typeName, file);
    }
    for (const { typeName } of [...file.enums, ...file.services]) this.#bySymbol.set(typeName, file);
  }
}
