/**
 * What every storage engine must do to carry the store: the port's contract as tests. A new engine passes by calling
 * {@link engineContract} in a test file of its own.
 */
import type { Engine, EngineRange } from "@meshkv/store";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** An engine that is being tested. */
export interface EngineUnderTest {
  readonly engine: Engine;
  /** Closes it and opens it again; undefined for engines that forget. */
  readonly reopen?: (() => Promise<Engine>) | undefined;
  /** Closes what is open and removes what is left. */
  dispose(): Promise<void>;
}

type Row = readonly [key: Uint8Array, value: Uint8Array];
type Operation =
  | { readonly kind: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: "del"; readonly key: Uint8Array };

const DURABLE = { sync: true };

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function plain(array: Uint8Array): Uint8Array {
  return Uint8Array.from(array);
}

async function apply(engine: Engine, operations: readonly Operation[]): Promise<void> {
  const batch = engine.batch();
  for (const operation of operations) {
    if (operation.kind === "put") batch.put(operation.key, operation.value);
    else batch.del(operation.key);
  }
  await batch.write(DURABLE);
}

function put(key: Uint8Array, value: Uint8Array): Operation {
  return { kind: "put", key, value };
}

/** Reads a range in steps of the given size. */
async function readAll(engine: Engine, range: EngineRange, step = 3): Promise<Row[]> {
  const iterator = engine.iterator(range);
  const rows: Row[] = [];
  try {
    for (;;) {
      const some = await iterator.nextv(step);
      if (some.length === 0) return rows;
      for (const [key, value] of some) rows.push([plain(key), plain(value)]);
    }
  } finally {
    await iterator.close();
  }
}

/** The stupid twin of an engine: an array that is sorted after every batch. */
class Model {
  rows: Row[] = [];

  apply(operations: readonly Operation[]): void {
    for (const operation of operations) {
      this.rows = this.rows.filter(([key]) => compareBytes(key, operation.key) !== 0);
      if (operation.kind === "put") this.rows.push([operation.key, operation.value]);
    }
    this.rows.sort(([a], [b]) => compareBytes(a, b));
  }

  read(range: EngineRange): Row[] {
    const { gt, gte, lt, lte } = range;
    const rows = this.rows.filter(
      ([key]) =>
        (gt === undefined || compareBytes(key, gt) > 0) &&
        (gte === undefined || compareBytes(key, gte) >= 0) &&
        (lt === undefined || compareBytes(key, lt) < 0) &&
        (lte === undefined || compareBytes(key, lte) <= 0),
    );
    return range.reverse === true ? rows.reverse() : rows;
  }
}

/** Keys of few letters, extreme bytes among them, so that they meet and are each other's prefixes. */
function keys(): fc.Arbitrary<Uint8Array> {
  return fc
    .array(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), { minLength: 1, maxLength: 4 })
    .map((all) => Uint8Array.from(all));
}

function operations(): fc.Arbitrary<Operation[]> {
  const one = fc.oneof(
    fc.record({ kind: fc.constant("put" as const), key: keys(), value: fc.uint8Array({ maxLength: 6 }) }),
    fc.record({ kind: fc.constant("del" as const), key: keys() }),
  );
  return fc.array(one, { maxLength: 12 });
}

function ranges(): fc.Arbitrary<EngineRange> {
  const lower = fc.oneof(
    fc.constant({}),
    keys().map((gt) => ({ gt })),
    keys().map((gte) => ({ gte })),
  );
  const upper = fc.oneof(
    fc.constant({}),
    keys().map((lt) => ({ lt })),
    keys().map((lte) => ({ lte })),
  );
  return fc.tuple(lower, upper, fc.boolean()).map(([from, to, reverse]) => ({ ...from, ...to, reverse }));
}

/** Declares the tests of the port's contract for one engine. `open` makes an empty engine for each test. */
export function engineContract(name: string, open: () => Promise<EngineUnderTest>): void {
  describe(`engine contract: ${name}`, () => {
    let subject: EngineUnderTest;
    let engine: Engine;

    beforeEach(async () => {
      subject = await open();
      engine = subject.engine;
    });

    afterEach(async () => {
      await subject.dispose();
    });

    test("a key that was never written has no value", () => {
      expect(engine.getSync(bytes(1))).toBeUndefined();
    });

    test("a written value is read back, an empty one too", async () => {
      await apply(engine, [put(bytes(1), bytes(9, 8)), put(bytes(2), bytes())]);
      expect(plain(engine.getSync(bytes(1)) ?? bytes(0))).toEqual(bytes(9, 8));
      expect(engine.getSync(bytes(2))).toHaveLength(0);
    });

    test("a batch is applied in the order in which it was filled", async () => {
      const key = bytes(5);
      await apply(engine, [put(key, bytes(1)), { kind: "del", key }, put(key, bytes(2))]);
      expect(plain(engine.getSync(key) ?? bytes(0))).toEqual(bytes(2));
      await apply(engine, [put(key, bytes(3)), { kind: "del", key }]);
      expect(engine.getSync(key)).toBeUndefined();
    });

    test("a batch copies what it is given", async () => {
      const key = bytes(1, 2);
      const value = bytes(3, 4);
      const batch = engine.batch();
      batch.put(key, value);
      key.fill(7);
      value.fill(7);
      const removed = bytes(8);
      batch.put(removed, value);
      batch.del(removed);
      removed.fill(1);
      await batch.write(DURABLE);
      expect(await readAll(engine, {})).toEqual([[bytes(1, 2), bytes(3, 4)]]);
    });

    test("a batch that is closed without being written leaves nothing", async () => {
      const batch = engine.batch();
      batch.put(bytes(1), bytes(1));
      await batch.close();
      expect(engine.getSync(bytes(1))).toBeUndefined();
    });

    test("an empty batch can be written", async () => {
      await engine.batch().write(DURABLE);
      expect(await readAll(engine, {})).toEqual([]);
    });

    test("an iterator sees the state in which it was made", async () => {
      await apply(engine, [put(bytes(1), bytes(1)), put(bytes(2), bytes(1))]);
      const iterator = engine.iterator({});
      await apply(engine, [{ kind: "del", key: bytes(2) }, put(bytes(1), bytes(2)), put(bytes(3), bytes(2))]);
      const rows = await iterator.nextv(10);
      await iterator.close();
      expect(rows.map(([key, value]) => [plain(key), plain(value)])).toEqual([
        [bytes(1), bytes(1)],
        [bytes(2), bytes(1)],
      ]);
    });

    test("an iterator that may gather few bytes still reaches the end", async () => {
      const rows = Array.from({ length: 50 }, (_, index) =>
        put(bytes(index), new Uint8Array(300).fill(index)),
      );
      await apply(engine, rows);
      expect(await readAll(engine, { highWaterMarkBytes: 1000 }, 1000)).toHaveLength(50);
    });

    test("reads agree with a sorted array, whatever is written", async () => {
      const model = new Model();
      const steps = fc.array(fc.tuple(operations(), fc.array(ranges(), { maxLength: 3 })), { maxLength: 4 });
      await fc.assert(
        fc.asyncProperty(steps, async (all) => {
          for (const [batch, asked] of all) {
            await apply(engine, batch);
            model.apply(batch);
            for (const { key } of batch) {
              const value = engine.getSync(key);
              const [expected] = model.read({ gte: key, lte: key });
              expect(value && plain(value)).toEqual(expected?.[1]);
            }
            for (const range of asked) expect(await readAll(engine, range)).toEqual(model.read(range));
          }
        }),
        { numRuns: 40 },
      );
    });

    test("what was written durably is there after a reopen, if the engine remembers at all", async () => {
      await apply(engine, [put(bytes(1), bytes(2)), put(bytes(3), bytes(4))]);
      const again = await subject.reopen?.();
      const expected = again === undefined ? undefined : bytes(4);
      const found = again?.getSync(bytes(3));
      expect(found && plain(found)).toEqual(expected);
    });
  });
}
