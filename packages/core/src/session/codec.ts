/**
 * Bytes of peer messages: `message = u8 kind, fields in the order of messages.ts`. Optional fields follow a `u8` that
 * says whether they are there. Every decoded record has passed its checksum.
 */
import { ByteReader, ByteWriter, FormatError } from "../bytes.ts";
import { decodeEntry, entryBytes, writeEntry } from "../entry.ts";
import { ERROR_CODES } from "../error-code.ts";
import type { ReplicaId } from "../ids.ts";
import { readMembers, writeMembers } from "../member-set.ts";
import { decodeRecord, type WriteRecord } from "../record.ts";
import {
  readFloors,
  readIds,
  readMesh,
  readStarts,
  writeFloors,
  writeIds,
  writeMesh,
  writeStarts,
} from "../replica/state.ts";
import { readVector, VersionVector, writeVector } from "../version-vector.ts";
import { readStretch, writeStretch } from "./log-stretch.ts";
import {
  type Frame,
  type Hello,
  type Offer,
  type PeerMessage,
  type PeerState,
  PROTOCOL_MAX,
  PROTOCOL_MIN,
} from "./messages.ts";

/** A greeting in a protocol that this code does not speak: only its beginning can be read. */
export class ProtocolError extends FormatError {
  override name = "ProtocolError";
}

const KINDS = [
  "hello",
  "refuse",
  "want",
  "frame",
  "join",
  "granted",
  "copy",
  "copied",
  "copy-settled",
  "copied-settled",
  "offer",
  "adopted",
  "confirm",
  "confirmed",
] as const satisfies readonly PeerMessage["kind"][];
const STATES = ["ready", "rejoining", "joining"] as const satisfies readonly PeerState[];

/** Encodes a message; the result is the body of one peer message on the wire. */
export function encodeMessage(message: PeerMessage): Uint8Array {
  const writer = new ByteWriter(capacityFor(message));
  writer.u8(KINDS.indexOf(message.kind));
  writeBody(writer, message);
  return writer.finish();
}

/** Bytes that a message takes at most, where it may be a large one and holds nothing unusual. */
function capacityFor(message: PeerMessage): number {
  let bytes = 512;
  if (message.kind === "frame") {
    for (const record of message.log?.records ?? []) bytes += record.bytes.length + 5;
  } else if (message.kind === "copied") {
    for (const entry of message.entries) bytes += entryBytes(entry) + 5;
  } else if (message.kind === "offer") {
    for (const record of message.records) bytes += record.bytes.length + 5;
  }
  return bytes;
}

function writeBody(writer: ByteWriter, message: PeerMessage): void {
  switch (message.kind) {
    case "hello":
      return writeHello(writer, message);
    case "refuse":
      writer.text(message.code).text(message.message);
      return;
    case "want":
      writer.id(message.origin);
      optional(writer, message.after, (after) => writer.u64(after));
      return;
    case "frame":
      return writeFrame(writer, message);
    case "join":
      optional(writer, message.abandoned, (id) => writer.id(id));
      return;
    case "granted":
      writeMesh(writer, message.mesh);
      writeMembers(writer, message.members);
      writer.u64(message.observe);
      writeVector(writer, message.vector);
      writer.u64(message.horizon);
      writeIds(writer, message.horizonMembers);
      writeFloors(writer, message.floors);
      return;
    case "copy":
      optional(writer, message.after, (after) => writer.key(after));
      return;
    case "copied":
      writer.u8(message.done ? 1 : 0).varint(message.entries.length);
      for (const entry of message.entries) writeEntry(writer, entry);
      return;
    case "copy-settled":
      optional(writer, message.after, (after) => writer.blob(after.bytes));
      return;
    case "copied-settled":
      writer.u8(message.done ? 1 : 0).varint(message.conflicts.length);
      for (const { record, settledAtMs } of message.conflicts) writer.u64(settledAtMs).blob(record.bytes);
      writeVector(writer, message.vector);
      return;
    case "offer":
      writeRecords(writer, message.records);
      writeVector(writer, new VersionVector(message.branches));
      optional(writer, message.seen, (seen) => writeVector(writer, seen));
      optional(writer, message.end, (end) => {
        writer.id(end.predecessor);
        writeVector(writer, end.vector);
      });
      return;
    case "adopted":
      writer.u64(message.through);
      return;
    case "confirm":
    case "confirmed":
      return;
  }
}

/** Decodes a message; throws FormatError when it does not follow the format, ProtocolError for a greeting in another. Records keep views of `bytes`. */
export function decodeMessage(bytes: Uint8Array): PeerMessage {
  const reader = new ByteReader(bytes);
  const kind = KINDS[reader.u8()];
  if (kind === undefined) throw new FormatError("message of unknown kind");
  const message = readBody(reader, kind);
  reader.end();
  return message;
}

function readBody(reader: ByteReader, kind: PeerMessage["kind"]): PeerMessage {
  switch (kind) {
    case "hello":
      return readHello(reader);
    case "refuse": {
      const name = reader.text();
      const code = ERROR_CODES.find((known) => known === name) ?? "INTERNAL";
      return { kind, code, message: reader.text() };
    }
    case "want":
      return { kind, origin: reader.id() as ReplicaId, after: maybe(reader, () => reader.u64()) };
    case "frame":
      return readFrame(reader);
    case "join":
      return { kind, abandoned: maybe(reader, () => reader.id() as ReplicaId) };
    case "granted":
      return {
        kind,
        mesh: readMesh(reader),
        members: readMembers(reader),
        observe: reader.u64(),
        vector: readVector(reader),
        horizon: reader.u64(),
        horizonMembers: readIds(reader),
        floors: readFloors(reader),
      };
    case "copy":
      return { kind, after: maybe(reader, () => reader.key()) };
    case "copied": {
      const done = reader.u8() !== 0;
      const count = reader.count(1);
      return { kind, done, entries: Array.from({ length: count }, () => decodeEntry(reader.blob())) };
    }
    case "copy-settled":
      return { kind, after: maybe(reader, () => decodeRecord(reader.blob())) };
    case "copied-settled": {
      const done = reader.u8() !== 0;
      const conflicts = Array.from({ length: reader.count(9) }, () => {
        const settledAtMs = reader.u64();
        return { settledAtMs, record: decodeRecord(reader.blob()) };
      });
      return { kind, done, conflicts, vector: readVector(reader) };
    }
    case "offer":
      return readOffer(reader);
    case "adopted":
      return { kind, through: reader.u64() };
    case "confirm":
    case "confirmed":
      return { kind };
  }
}

function writeHello(writer: ByteWriter, hello: Hello): void {
  writer.varint(hello.protocolMin).varint(hello.protocolMax);
  writeMesh(writer, hello.mesh);
  writer.id(hello.replicaId);
  writeStarts(writer, hello.starts);
  writer
    .u8(STATES.indexOf(hello.state))
    .u8(hello.invited ? 1 : 0)
    .text(hello.address);
  writer.u64(hello.wallMs).u64(hello.clock);
  writeMembers(writer, hello.members);
  writeVector(writer, hello.vector);
  writer.u64(hello.horizon);
  writeFloors(writer, hello.floors);
}

function readHello(reader: ByteReader): Hello {
  const protocolMin = reader.varint();
  const protocolMax = reader.varint();
  if (protocolMax < PROTOCOL_MIN || protocolMin > PROTOCOL_MAX)
    throw new ProtocolError(
      `the peer speaks protocols ${protocolMin} to ${protocolMax}, this replica ${PROTOCOL_MIN} to ${PROTOCOL_MAX}`,
    );
  const mesh = readMesh(reader);
  const replicaId = reader.id() as ReplicaId;
  const starts = readStarts(reader);
  const state = STATES[reader.u8()];
  if (state === undefined) throw new FormatError("peer state not known");
  const invited = reader.u8() !== 0;
  const address = reader.text();
  const wallMs = reader.u64();
  const clock = reader.u64();
  const members = readMembers(reader);
  const vector = readVector(reader);
  const horizon = reader.u64();
  const floors = readFloors(reader);
  return {
    kind: "hello",
    protocolMin,
    protocolMax,
    mesh,
    replicaId,
    starts,
    state,
    invited,
    address,
    wallMs,
    clock,
    members,
    vector,
    horizon,
    floors,
  };
}

function writeFrame(writer: ByteWriter, frame: Frame): void {
  writer.u64(frame.wallMs).u64(frame.clock);
  optional(writer, frame.members, (members) => writeMembers(writer, members));
  writeVector(writer, frame.vector);
  writer.varint(frame.heard.length);
  for (const { member, vector, removed } of frame.heard) {
    writer.id(member);
    writeVector(writer, vector);
    writeIds(writer, removed);
  }
  optional(writer, frame.log, (log) => writeStretch(writer, log));
}

function readFrame(reader: ByteReader): Frame {
  const wallMs = reader.u64();
  const clock = reader.u64();
  const members = maybe(reader, () => readMembers(reader));
  const vector = readVector(reader);
  const heard = Array.from({ length: reader.count(10) }, () => {
    const member = reader.id() as ReplicaId;
    return { member, vector: readVector(reader), removed: readIds(reader) };
  });
  const log = maybe(reader, () => readStretch(reader));
  return { kind: "frame", wallMs, clock, members, vector, heard, log };
}

function readOffer(reader: ByteReader): Offer {
  const records = readRecords(reader);
  const branches = new Map(readVector(reader).entries());
  const seen = maybe(reader, () => readVector(reader));
  const end = maybe(reader, () => {
    const predecessor = reader.id() as ReplicaId;
    return { predecessor, vector: readVector(reader) };
  });
  return { kind: "offer", records, branches, seen, end };
}

function writeRecords(writer: ByteWriter, records: readonly WriteRecord[]): void {
  writer.varint(records.length);
  for (const record of records) writer.blob(record.bytes);
}

function readRecords(reader: ByteReader): WriteRecord[] {
  return Array.from({ length: reader.count(1) }, () => decodeRecord(reader.blob()));
}

function optional<T>(writer: ByteWriter, value: T | undefined, write: (value: T) => void): void {
  writer.u8(value === undefined ? 0 : 1);
  if (value !== undefined) write(value);
}

function maybe<T>(reader: ByteReader, read: () => T): T | undefined {
  return reader.u8() === 0 ? undefined : read();
}
