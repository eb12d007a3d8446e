import { create, PipelineResponseSchema, toBinary } from "@meshkv/protocol";
import { describe, expect, it } from "vitest";
import { countResults } from "./pipeline-reply.ts";

const GET = { case: "get" as const, value: { session: "abc" } };

describe("the results of a reply", () => {
  it("are counted", () => {
    const results = [1, 2, 300_000].map((id) => ({ id, kind: GET }));
    expect(countResults(toBinary(PipelineResponseSchema, create(PipelineResponseSchema, { results })))).toBe(
      3,
    );
    expect(countResults(new Uint8Array(0))).toBe(0);
  });

  it("end the load when one is an error, which is named", () => {
    const error = { case: "error" as const, value: { status: 9, code: "STORAGE_FULL", message: "no room" } };
    const results = [
      { id: 1, kind: GET },
      { id: 2, kind: error },
    ];
    const reply = toBinary(PipelineResponseSchema, create(PipelineResponseSchema, { results }));
    expect(() => countResults(reply)).toThrow(/STORAGE_FULL.*no room/);
  });

  it("must be whole", () => {
    const reply = toBinary(
      PipelineResponseSchema,
      create(PipelineResponseSchema, { results: [{ id: 1, kind: GET }] }),
    );
    expect(() => countResults(reply.subarray(0, 1))).toThrow(/too early/);
    expect(() => countResults(Uint8Array.of(0x18, 1))).toThrow(/unknown field/);
  });
});
