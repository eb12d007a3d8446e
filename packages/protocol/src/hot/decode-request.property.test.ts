import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  GetManyRequestSchema,
  GetRequestSchema,
  ListRequestSchema,
  OperationSchema,
  PipelineRequestSchema,
  SetRequestSchema,
  WriteConcern_Level,
} from "../gen/meshkv/v1/meshkv_pb.ts";
import {
  decodeGetManyRequest,
  decodeGetRequest,
  decodeListRequest,
  decodePipelineRequest,
  decodeSetRequest,
} from "./decode-request.ts";

type Decoded = { readonly message: unknown } | { readonly error: string };

function outcomeOf(decode: () => Message): Decoded {
  try {
    return { message: decode() };
  } catch (error) {
    return { error: String(error) };
  }
}

const CODECS = {
  get: [GetRequestSchema, decodeGetRequest],
  set: [SetRequestSchema, decodeSetRequest],
  many: [GetManyRequestSchema, decodeGetManyRequest],
  list: [ListRequestSchema, decodeListRequest],
  pipeline: [PipelineRequestSchema, decodePipelineRequest],
} as const satisfies Record<string, readonly [DescMessage, (bytes: Uint8Array) => Message]>;

type Name = keyof typeof CODECS;
const names = fc.constantFrom<Name>("get", "set", "many", "list", "pipeline");

/** Both codecs, out of a Buffer as the library hands it over, with other bytes around. */
function expectAgreement(name: Name, bytes: Uint8Array): Decoded {
  const [schema, decode] = CODECS[name];
  const generated = outcomeOf(() => fromBinary(schema, Uint8Array.from(bytes)));
  const around = Buffer.concat([Buffer.from([1, 2, 3]), bytes, Buffer.from([4, 5])]);
  expect(outcomeOf(() => decode(around.subarray(3, 3 + bytes.length)))).toEqual(generated);
  return generated;
}

const bytes = fc.uint8Array({ maxLength: 200 });
const ascii = fc.string({ maxLength: 40, unit: "grapheme-ascii" });
const text = fc.oneof({ weight: 4, arbitrary: ascii }, fc.string({ maxLength: 20, unit: "grapheme" }));
const duration = fc.record({
  seconds: fc.oneof(fc.bigInt(0n, 4_000_000_000n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
  nanos: fc.oneof(fc.nat(999_999_999), fc.integer()),
});
const condition = fc.record({
  kind: fc.oneof(
    fc.record({ case: fc.constant("ifVersion" as const), value: ascii }),
    fc.record({ case: fc.constantFrom("ifAbsent" as const, "ifPresent" as const), value: fc.boolean() }),
    fc.constant({ case: undefined }),
  ),
});
const level = fc.constantFrom(
  WriteConcern_Level.UNSPECIFIED,
  WriteConcern_Level.RELAXED,
  WriteConcern_Level.ALL,
  77 as WriteConcern_Level,
);
const concern = fc.record(
  {
    kind: fc.oneof(
      fc.record({ case: fc.constant("level" as const), value: level }),
      fc.record({ case: fc.constant("replicas" as const), value: fc.nat(0xffff_ffff) }),
    ),
    timeout: duration,
  },
  { requiredKeys: [] },
);
const get = fc.record({ key: bytes, session: text, includeConflicts: fc.boolean() }, { requiredKeys: [] });
const set = fc.record(
  { key: bytes, value: bytes, ttl: duration, condition, concern, session: text, requestId: text },
  { requiredKeys: [] },
);
const many = fc.record({ keys: fc.array(bytes, { maxLength: 5 }), session: text }, { requiredKeys: [] });
const list = fc.record(
  {
    prefix: bytes,
    start: bytes,
    end: bytes,
    reverse: fc.boolean(),
    keysOnly: fc.boolean(),
    pageSize: fc.oneof(fc.nat(3000), fc.nat(0xffff_ffff)),
    pageToken: text,
    session: text,
  },
  { requiredKeys: [] },
);
const operation = fc.record(
  {
    id: fc.oneof(fc.nat(300), fc.nat(0xffff_ffff)),
    kind: fc.oneof(
      get.map((value) => ({ case: "get" as const, value })),
      set.map((value) => ({ case: "set" as const, value })),
      fc.constant({
        case: "delete" as const,
        value: { target: { case: "key" as const, value: Uint8Array.of(1) } },
      }),
      fc.constant({ case: "list" as const, value: { pageSize: 7 } }),
      fc.constant({ case: undefined }),
    ),
  },
  { requiredKeys: [] },
);
/** A message of each kind, as a client's library encodes it. */
const encoded = fc.oneof(
  get.map((init) => ["get", toBinary(GetRequestSchema, create(GetRequestSchema, init))] as const),
  set.map((init) => ["set", toBinary(SetRequestSchema, create(SetRequestSchema, init))] as const),
  many.map((init) => ["many", toBinary(GetManyRequestSchema, create(GetManyRequestSchema, init))] as const),
  list.map((init) => ["list", toBinary(ListRequestSchema, create(ListRequestSchema, init))] as const),
  fc
    .array(operation, { maxLength: 6 })
    .map(
      (operations) =>
        ["pipeline", toBinary(PipelineRequestSchema, create(PipelineRequestSchema, { operations }))] as const,
    ),
);

/** Fields in any order, twice, unknown, of a wrong type: what is well formed as protobuf, and maybe nothing else. */
const field: fc.Arbitrary<Uint8Array> = fc.letrec<{ field: Uint8Array }>((tie) => ({
  field: fc
    .tuple(
      fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 8 }) }, fc.integer({ min: 9, max: 5000 })),
      fc.oneof(
        fc.oneof(fc.nat(1), fc.nat(0xffff_ffff)).map((value) => ["varint", value] as const),
        fc.bigInt(0n, 2n ** 64n - 1n).map((value) => ["long", value] as const),
        bytes.map((value) => ["bytes", value] as const),
        ascii.map((value) => ["bytes", new TextEncoder().encode(value)] as const),
        fc
          .array(tie("field"), { maxLength: 4, depthIdentifier: "nested" })
          .map((fields) => ["bytes", Buffer.concat(fields)] as const),
        fc.nat(0xffff_ffff).map((value) => ["fixed", value] as const),
      ),
    )
    .map(([number, [kind, value]]) => {
      const writer = new BinaryWriter();
      if (kind === "varint") writer.tag(number, WireType.Varint).uint32(value);
      else if (kind === "long") writer.tag(number, WireType.Varint).uint64(value);
      else if (kind === "fixed") writer.tag(number, WireType.Bit32).fixed32(value);
      else writer.tag(number, WireType.LengthDelimited).bytes(value);
      return writer.finish();
    }),
})).field;

describe("requests decoded by hand", () => {
  it("are those that the generated code reads from what a library wrote", () => {
    fc.assert(
      fc.property(encoded, ([name, written]) => {
        expect(expectAgreement(name, written)).toHaveProperty("message");
      }),
      { numRuns: 500 },
    );
  });

  it("are the same with fields in any order, repeated, unknown, or of a wrong type", () => {
    fc.assert(
      fc.property(names, fc.array(field, { maxLength: 6 }), (name, fields) => {
        expectAgreement(name, Buffer.concat(fields));
      }),
      { numRuns: 1000 },
    );
  });

  it("are the same in an operation whose parts are in any order, repeated, or unknown", () => {
    fc.assert(
      fc.property(fc.array(fc.array(field, { maxLength: 5 }), { maxLength: 4 }), (operations) => {
        const writer = new BinaryWriter();
        for (const fields of operations) writer.tag(1, WireType.LengthDelimited).bytes(Buffer.concat(fields));
        expectAgreement("pipeline", writer.finish());
      }),
      { numRuns: 1000 },
    );
  });

  it("fail alike where bytes are cut off or changed", () => {
    fc.assert(
      fc.property(encoded, fc.nat(), fc.nat(255), fc.nat(), ([name, written], cut, value, at) => {
        expectAgreement(name, written.subarray(0, cut % (written.length + 1)));
        const changed = Uint8Array.from(written);
        if (changed.length > 0) changed[at % changed.length] = value;
        expectAgreement(name, changed);
      }),
      { numRuns: 1000 },
    );
  });

  it("fail alike, or not at all, on any bytes", () => {
    fc.assert(
      fc.property(names, fc.uint8Array({ maxLength: 40 }), (name, anything) => {
        expectAgreement(name, anything);
      }),
      { numRuns: 1000 },
    );
  });

  it("merge a message that comes twice, as protobuf has it", () => {
    const twice = Buffer.concat([
      toBinary(
        SetRequestSchema,
        create(SetRequestSchema, { concern: { kind: { case: "replicas", value: 3 } } }),
      ),
      toBinary(
        SetRequestSchema,
        create(SetRequestSchema, { key: Uint8Array.of(1), concern: { timeout: { seconds: 5n } } }),
      ),
    ]);
    expect(decodeSetRequest(twice)).toMatchObject({
      key: Uint8Array.of(1),
      concern: { kind: { case: "replicas", value: 3 }, timeout: { seconds: 5n } },
    });
    const operations = Buffer.concat([
      toBinary(
        OperationSchema,
        create(OperationSchema, { id: 1, kind: { case: "get", value: { session: "s" } } }),
      ),
      toBinary(
        OperationSchema,
        create(OperationSchema, { kind: { case: "get", value: { includeConflicts: true } } }),
      ),
    ]);
    const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(operations);
    expect(decodePipelineRequest(writer.finish()).operations[0]).toMatchObject({
      id: 1,
      kind: { case: "get", value: { session: "s", includeConflicts: true } },
    });
  });

  it("hand out plain byte arrays, and levels that are not known", () => {
    const message = create(SetRequestSchema, {
      key: Uint8Array.of(1),
      value: Uint8Array.of(2),
      concern: { kind: { case: "level", value: 9 as WriteConcern_Level } },
    });
    const decoded = decodeSetRequest(Buffer.from(toBinary(SetRequestSchema, message)));
    expect([Buffer.isBuffer(decoded.key), Buffer.isBuffer(decoded.value)]).toEqual([false, false]);
    expect(decoded.concern?.kind).toEqual({ case: "level", value: 9 });
  });
});
