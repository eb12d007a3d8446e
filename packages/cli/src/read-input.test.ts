import { PassThrough, Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { readInput } from "./read-input.ts";

const MIB = 1024 ** 2;

function* chunks(count: number): Generator<Uint8Array> {
  const chunk = new Uint8Array(MIB);
  for (let index = 0; index < count; index += 1) yield chunk;
}

describe("readInput", () => {
  const never = new AbortController().signal;

  it("joins everything", async () => {
    expect(await readInput(Readable.from([Buffer.from("a"), Buffer.from([0, 255])]), never)).toEqual(
      Buffer.from([97, 0, 255]),
    );
    expect(await readInput(Readable.from([]), never)).toHaveLength(0);
  });

  it("reads no more than any server takes", async () => {
    expect(await readInput(Readable.from(chunks(64)), never)).toHaveLength(64 * MIB);
    await expect(readInput(Readable.from(chunks(65)), never)).rejects.toMatchObject({ code: "TOO_LARGE" });
  });

  it("ends when it is interrupted", async () => {
    const controller = new AbortController();
    const reading = readInput(new PassThrough(), controller.signal);
    controller.abort();
    await expect(reading).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(readInput(Readable.from(["a"]), controller.signal)).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });
});
