import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { ERROR_CODES, MeshkvError } from "@meshkv/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GRPC_STATUS } from "./error-table.ts";
import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "./gen/google/rpc/status_pb.ts";
import { errorFromGrpc, errorToGrpc } from "./grpc-status.ts";

describe("errors on the wire", () => {
  it("come back as they were sent", () => {
    // Keys as google.rpc.ErrorInfo has them.
    const key = fc.stringMatching(/^[a-z][a-zA-Z0-9_-]{0,63}$/);
    const metadata = fc.dictionary(key, fc.string({ unit: "grapheme" }));
    const error = fc.tuple(fc.constantFrom(...ERROR_CODES), fc.string({ maxLength: 200 }), metadata);
    fc.assert(
      fc.property(error, ([code, message, details]) => {
        const back = errorFromGrpc(errorToGrpc(new MeshkvError(code, message, details)));
        expect([back.code, back.message, { ...back.metadata }]).toEqual([code, message, { ...details }]);
      }),
    );
  });

  it("have texts that every trailer can carry", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 2000 }), (message) => {
        const wire = errorToGrpc(new MeshkvError("INTERNAL", message));
        expect(wire.message.length).toBeLessThanOrEqual(500);
        expect(() => encodeURI(wire.message)).not.toThrow();
      }),
    );
    const halved = errorToGrpc(new MeshkvError("INTERNAL", `${"x".repeat(498)}😀${"y".repeat(10)}`));
    expect(() => encodeURI(halved.message)).not.toThrow();
  });

  it("carry an ErrorInfo, and name the field as a BadRequest", () => {
    const { details } = errorToGrpc(new MeshkvError("INVALID_ARGUMENT", "key: is empty", { field: "key" }));
    const [info, violations] = fromBinary(StatusSchema, details).details;
    expect(info && anyUnpack(info, ErrorInfoSchema)).toMatchObject({
      reason: "INVALID_ARGUMENT",
      domain: "meshkv",
      metadata: { field: "key" },
    });
    expect(violations && anyUnpack(violations, BadRequestSchema)?.fieldViolations).toMatchObject([
      { field: "key", description: "key: is empty" },
    ]);
  });
});

describe("errors from elsewhere", () => {
  const from = (code: number, message = "text", details?: Uint8Array): MeshkvError =>
    errorFromGrpc({ code, message, details }, "127.0.0.1:4000");

  it.each([
    [GRPC_STATUS.CANCELLED, "CANCELLED"],
    [GRPC_STATUS.UNKNOWN, "INTERNAL"],
    [GRPC_STATUS.INVALID_ARGUMENT, "INVALID_ARGUMENT"],
    [GRPC_STATUS.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"],
    [GRPC_STATUS.NOT_FOUND, "NOT_FOUND"],
    [GRPC_STATUS.PERMISSION_DENIED, "PERMISSION_DENIED"],
    [GRPC_STATUS.RESOURCE_EXHAUSTED, "OVERLOADED"],
    [GRPC_STATUS.UNIMPLEMENTED, "INTERNAL"],
    [GRPC_STATUS.UNAVAILABLE, "UNAVAILABLE"],
    [GRPC_STATUS.UNAUTHENTICATED, "UNAUTHENTICATED"],
    [99, "INTERNAL"],
  ])("status %i is %s", (status, code) => {
    expect(from(status).code).toBe(code);
  });

  it("say in plain words why there is no connection", () => {
    const text = "No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:4000";
    const error = from(GRPC_STATUS.UNAVAILABLE, text);
    expect(error.message).toContain(
      "cannot reach 127.0.0.1:4000: nothing listens there; is the server running?",
    );
    expect(error.metadata).toEqual({ address: "127.0.0.1:4000" });
  });

  it("tell a message over the library's limit from an overload", () => {
    const error = from(GRPC_STATUS.RESOURCE_EXHAUSTED, "Received message larger than max (9 vs 8)");
    expect(error.code).toBe("TOO_LARGE");
  });

  it("are not fooled by details that are not ours", () => {
    const status = (reason: string, domain: string): Uint8Array => {
      const info = create(ErrorInfoSchema, { reason, domain });
      return toBinary(StatusSchema, create(StatusSchema, { details: [anyPack(ErrorInfoSchema, info)] }));
    };
    expect(from(14, "text", status("NOT_FOUND", "example.com")).code).toBe("UNAVAILABLE");
    expect(from(14, "text", status("NO_SUCH_CODE", "meshkv")).code).toBe("UNAVAILABLE");
    expect(from(14, "text", status("NOT_FOUND", "meshkv")).code).toBe("NOT_FOUND");
    expect(from(14, "text", Uint8Array.of(0xff, 0xff, 0xff)).code).toBe("UNAVAILABLE");
  });
});
