/** What callers are told when the engine fails under their writes. */
import { keyTextFromBytes, MeshkvError } from "@meshkv/core";
import { create, type MessageInitShape, SetRequestSchema } from "@meshkv/protocol";
import { type Engine, openMemoryEngine } from "@meshkv/store";
import { describe, expect, onTestFinished, test } from "vitest";
import { startReplica } from "../../test/real-replica.ts";
import { KeyValueHandlers } from "../handlers/key-value-handlers.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** An engine whose batches fail as on a full disk once it is told to. */
function fillable(inner: Engine): Engine & { fill(): void } {
  let isFull = false;
  return {
    fill: () => {
      isFull = true;
    },
    getSync: (key) => inner.getSync(key),
    iterator: (range) => inner.iterator(range),
    close: () => inner.close(),
    batch: () => {
      const batch = inner.batch();
      return {
        put: (key, value) => batch.put(key, value),
        del: (key) => batch.del(key),
        close: () => batch.close(),
        write: async (options) => {
          if (!isFull) return batch.write(options);
          await batch.close();
          throw new Error("IO error: No space left on device");
        },
      };
    },
  };
}

type SetInit = MessageInitShape<typeof SetRequestSchema>;

interface Opened {
  readonly fill: () => void;
  /** Sets `k`, or what the fields name, and resolves to the error that it ends with. */
  readonly set: (fields?: SetInit) => Promise<MeshkvError>;
  /** Resolves when a key is on the disk. */
  readonly durable: (key: string) => Promise<void>;
}

async function open(): Promise<Opened> {
  const engine = fillable(await openMemoryEngine());
  const replica = await startReplica({ engine });
  onTestFinished(() => replica.stop());
  const defaultConcern = { kind: "replicas", count: 1 } as const;
  const handlers = new KeyValueHandlers({ replica, valueBytesMax: 1 << 20, defaultConcern });
  const call = { signal: new AbortController().signal, deadlineMs: undefined };
  const set = async (fields: SetInit = {}): Promise<MeshkvError> => {
    try {
      await handlers.set(
        create(SetRequestSchema, { key: bytesOf("k"), value: bytesOf("v"), ...fields }),
        call,
      );
    } catch (error) {
      if (error instanceof MeshkvError) return error;
      throw error;
    }
    throw new Error("it did not fail");
  };
  const durable = (key: string): Promise<void> =>
    replica.until(() => replica.get(keyTextFromBytes(bytesOf(key))) !== undefined, call.signal);
  return { fill: () => engine.fill(), set, durable };
}

describe("a disk that fills up under a write", () => {
  test("is no refusal: the engine may have taken the write, and a client may not simply repeat it", async () => {
    const { fill, set } = await open();
    fill();
    expect(await set()).toMatchObject({ code: "STORAGE_FAILED" });
    expect(await set(), "this one was never begun").toMatchObject({ code: "STORAGE_FULL" });
  });

  test("does not make a write refused that is durable and waits for other replicas", async () => {
    const { fill, set, durable } = await open();
    const waiting = set({ key: bytesOf("other"), concern: { kind: { case: "replicas", value: 2 } } });
    await durable("other");
    fill();
    await set();
    expect(await waiting).toMatchObject({ code: "CONCERN_NOT_MET", metadata: { replicas: "1" } });
  });
});
