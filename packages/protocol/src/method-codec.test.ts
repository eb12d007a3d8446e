import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { KeyValue, SetRequestSchema } from "./gen/meshkv/v1/meshkv_pb.ts";
import { methodCodec } from "./method-codec.ts";

describe("the codec of a method", () => {
  it("names its path and directions", () => {
    expect(methodCodec(KeyValue.method.get)).toMatchObject({
      path: "/meshkv.v1.KeyValue/Get",
      requestStream: false,
      responseStream: false,
    });
    expect(methodCodec(KeyValue.method.watch)).toMatchObject({ requestStream: false, responseStream: true });
    expect(methodCodec(KeyValue.method.pipeline)).toMatchObject({
      requestStream: true,
      responseStream: true,
    });
  });

  it("turns messages into Buffers and back, with plain byte arrays inside", () => {
    const codec = methodCodec(KeyValue.method.set);
    const request = create(SetRequestSchema, { key: Uint8Array.of(0, 255), value: Uint8Array.of(7) });
    const bytes = codec.requestSerialize(request);
    const back = codec.requestDeserialize(bytes);
    expect(Buffer.isBuffer(bytes)).toBe(true);
    expect(Buffer.isBuffer(back.key)).toBe(false);
    expect(back).toEqual(request);
  });

  it("throws at bytes that are no such message", () => {
    expect(() => methodCodec(KeyValue.method.set).requestDeserialize(Uint8Array.of(0x0a, 0x05, 1))).toThrow(
      RangeError,
    );
  });
});
