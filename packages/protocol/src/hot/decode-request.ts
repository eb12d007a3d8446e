/**
 * The requests that come most often, decoded by hand. What a client's library writes is read directly; whatever is not
 * quite that (unknown fields, a field twice that has to be merged, long varints, text beyond ASCII, what is cut) is given
 * whole to the generated code. So both always agree, on errors too, and new fields cost speed and nothing else.
 */
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import {
  type Condition,
  ConditionSchema,
  type GetManyRequest,
  GetManyRequestSchema,
  type GetRequest,
  GetRequestSchema,
  type ListRequest,
  ListRequestSchema,
  type Operation,
  OperationSchema,
  type PipelineRequest,
  PipelineRequestSchema,
  type SetRequest,
  SetRequestSchema,
  type WriteConcern,
  WriteConcernSchema,
} from "../gen/meshkv/v1/meshkv_pb.ts";
import { WireReader } from "./wire-reader.ts";

const EMPTY = new Uint8Array(0);

/** Decodes a `GetRequest`. Bytes fields are views. Throws, as the generated code, at bytes that are none. */
export function decodeGetRequest(bytes: Uint8Array): GetRequest {
  return readGet(new WireReader(bytes), bytes.length) ?? generated(GetRequestSchema, bytes);
}

/** Decodes a `GetManyRequest`. Bytes fields are views. Throws, as the generated code, at bytes that are none. */
export function decodeGetManyRequest(bytes: Uint8Array): GetManyRequest {
  return readGetMany(new WireReader(bytes), bytes.length) ?? generated(GetManyRequestSchema, bytes);
}

/** Decodes a `SetRequest`. Bytes fields are views. Throws, as the generated code, at bytes that are none. */
export function decodeSetRequest(bytes: Uint8Array): SetRequest {
  return readSet(new WireReader(bytes), bytes.length) ?? generated(SetRequestSchema, bytes);
}

/** Decodes a `ListRequest`. Bytes fields are views. Throws, as the generated code, at bytes that are none. */
export function decodeListRequest(bytes: Uint8Array): ListRequest {
  return readList(new WireReader(bytes), bytes.length) ?? generated(ListRequestSchema, bytes);
}

/** Decodes a `PipelineRequest`. Bytes fields are views. Throws, as the generated code, at bytes that are none. */
export function decodePipelineRequest(bytes: Uint8Array): PipelineRequest {
  return readPipeline(new WireReader(bytes), bytes.length) ?? generated(PipelineRequestSchema, bytes);
}

function generated<Schema extends DescMessage>(schema: Schema, bytes: Uint8Array): MessageShape<Schema> {
  // A plain view: out of a Buffer, bytes fields would be Buffers, whose `slice` does not copy.
  return fromBinary(schema, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

/** A message inside another, by the generated code; undefined: it cannot be read by itself. */
function inner<Schema extends DescMessage>(
  schema: Schema,
  reader: WireReader,
  end: number,
): MessageShape<Schema> | undefined {
  const fieldEnd = reader.fieldEnd(end);
  if (fieldEnd < 0) return undefined;
  try {
    return fromBinary(schema, reader.view(fieldEnd));
  } catch {
    return undefined;
  }
}

function readPipeline(reader: WireReader, end: number): PipelineRequest | undefined {
  const operations: Operation[] = [];
  while (reader.position < end) {
    if (reader.byte(end) !== 0x0a) return undefined;
    const operationEnd = reader.fieldEnd(end);
    if (operationEnd < 0) return undefined;
    const start = reader.position;
    let operation = readOperation(reader, operationEnd);
    if (operation === undefined) {
      reader.position = start;
      try {
        operation = fromBinary(OperationSchema, reader.view(operationEnd));
      } catch {
        return undefined;
      }
    }
    operations.push(operation);
  }
  return { $typeName: "meshkv.v1.PipelineRequest", operations };
}

function readOperation(reader: WireReader, end: number): Operation | undefined {
  let id = 0;
  let kind: Operation["kind"] | undefined;
  while (reader.position < end) {
    switch (reader.byte(end)) {
      case 0x08:
        id = reader.uint32(end);
        if (id < 0) return undefined;
        break;
      case 0x12: {
        const value = kind === undefined ? readInner(reader, end, readGet) : undefined;
        if (value === undefined) return undefined;
        kind = { case: "get", value };
        break;
      }
      case 0x1a: {
        const value = kind === undefined ? readInner(reader, end, readSet) : undefined;
        if (value === undefined) return undefined;
        kind = { case: "set", value };
        break;
      }
      default:
        return undefined;
    }
  }
  return { $typeName: "meshkv.v1.Operation", id, kind: kind ?? { case: undefined } };
}

function readInner<Message>(
  reader: WireReader,
  end: number,
  read: (reader: WireReader, end: number) => Message | undefined,
): Message | undefined {
  const fieldEnd = reader.fieldEnd(end);
  return fieldEnd < 0 ? undefined : read(reader, fieldEnd);
}

function readGet(reader: WireReader, end: number): GetRequest | undefined {
  let key: Uint8Array | undefined = EMPTY;
  let session: string | undefined = "";
  let includeConflicts: 0 | 1 | -1 = 0;
  while (reader.position < end) {
    switch (reader.byte(end)) {
      case 0x0a:
        key = reader.bytes(end);
        if (key === undefined) return undefined;
        break;
      case 0x12:
        session = reader.ascii(end);
        if (session === undefined) return undefined;
        break;
      case 0x18:
        includeConflicts = reader.bool(end);
        if (includeConflicts < 0) return undefined;
        break;
      default:
        return undefined;
    }
  }
  return { $typeName: "meshkv.v1.GetRequest", key, session, includeConflicts: includeConflicts === 1 };
}

function readGetMany(reader: WireReader, end: number): GetManyRequest | undefined {
  const keys: Uint8Array[] = [];
  let session: string | undefined = "";
  while (reader.position < end) {
    switch (reader.byte(end)) {
      case 0x0a: {
        const key = reader.bytes(end);
        if (key === undefined) return undefined;
        keys.push(key);
        break;
      }
      case 0x12:
        session = reader.ascii(end);
        if (session === undefined) return undefined;
        break;
      default:
        return undefined;
    }
  }
  return { $typeName: "meshkv.v1.GetManyRequest", keys, session };
}

function readList(reader: WireReader, messageEnd: number): ListRequest | undefined {
  let prefix: Uint8Array | undefined = EMPTY;
  let start: Uint8Array | undefined = EMPTY;
  let end: Uint8Array | undefined = EMPTY;
  let reverse: 0 | 1 | -1 = 0;
  let keysOnly: 0 | 1 | -1 = 0;
  let pageSize = 0;
  let pageToken: string | undefined = "";
  let session: string | undefined = "";
  while (reader.position < messageEnd) {
    switch (reader.byte(messageEnd)) {
      case 0x0a:
        prefix = reader.bytes(messageEnd);
        break;
      case 0x12:
        start = reader.bytes(messageEnd);
        break;
      case 0x1a:
        end = reader.bytes(messageEnd);
        break;
      case 0x20:
        reverse = reader.bool(messageEnd);
        break;
      case 0x28:
        keysOnly = reader.bool(messageEnd);
        break;
      case 0x30:
        pageSize = reader.uint32(messageEnd);
        break;
      case 0x3a:
        pageToken = reader.ascii(messageEnd);
        break;
      case 0x42:
        session = reader.ascii(messageEnd);
        break;
      default:
        return undefined;
    }
    if (prefix === undefined || start === undefined || end === undefined) return undefined;
    if (reverse < 0 || keysOnly < 0 || pageSize < 0) return undefined;
    if (pageToken === undefined || session === undefined) return undefined;
  }
  return {
    $typeName: "meshkv.v1.ListRequest",
    prefix,
    start,
    end,
    reverse: reverse === 1,
    keysOnly: keysOnly === 1,
    pageSize,
    pageToken,
    session,
  };
}

function readSet(reader: WireReader, end: number): SetRequest | undefined {
  let key: Uint8Array | undefined = EMPTY;
  let value: Uint8Array | undefined = EMPTY;
  let ttl: Duration | undefined;
  let condition: Condition | undefined;
  let concern: WriteConcern | undefined;
  let session: string | undefined = "";
  let requestId: string | undefined = "";
  while (reader.position < end) {
    switch (reader.byte(end)) {
      case 0x0a:
        key = reader.bytes(end);
        if (key === undefined) return undefined;
        break;
      case 0x12:
        value = reader.bytes(end);
        if (value === undefined) return undefined;
        break;
      case 0x1a:
        ttl = ttl === undefined ? readInner(reader, end, readDuration) : undefined;
        if (ttl === undefined) return undefined;
        break;
      case 0x22:
        condition = condition === undefined ? inner(ConditionSchema, reader, end) : undefined;
        if (condition === undefined) return undefined;
        break;
      case 0x2a:
        concern = concern === undefined ? inner(WriteConcernSchema, reader, end) : undefined;
        if (concern === undefined) return undefined;
        break;
      case 0x32:
        session = reader.ascii(end);
        if (session === undefined) return undefined;
        break;
      case 0x3a:
        requestId = reader.ascii(end);
        if (requestId === undefined) return undefined;
        break;
      default:
        return undefined;
    }
  }
  const message: SetRequest = { $typeName: "meshkv.v1.SetRequest", key, value, session, requestId };
  if (ttl !== undefined) message.ttl = ttl;
  if (condition !== undefined) message.condition = condition;
  if (concern !== undefined) message.concern = concern;
  return message;
}

function readDuration(reader: WireReader, end: number): Duration | undefined {
  let seconds = 0;
  let nanos = 0;
  while (reader.position < end) {
    switch (reader.byte(end)) {
      case 0x08:
        seconds = reader.uint32(end);
        if (seconds < 0) return undefined;
        break;
      case 0x10:
        nanos = reader.uint32(end);
        if (nanos < 0 || nanos > 0x7fff_ffff) return undefined;
        break;
      default:
        return undefined;
    }
  }
  return { $typeName: DurationSchema.typeName, seconds: BigInt(seconds), nanos };
}
