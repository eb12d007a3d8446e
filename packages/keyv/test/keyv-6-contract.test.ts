/**
 * What Keyv 6 asks of a store, without Keyv 6, which needs a newer Node: namespaces that the store keeps apart, deadlines that are
 * moments, an outcome for each key, values that are serialised already. A store and a twin of maps do the same, and say the same.
 */
import { connect } from "@meshkv/client";
import { STAGE_TEST_MS_MAX, stageTest } from "@meshkv/testing";
import { describe, expect, it } from "vitest";
import { type Keyv6Entry, KeyvMeshkv6 } from "../src/index.ts";

const STEPS = 120;
const HOUR_MS = 3_600_000;
const NAMESPACES = [undefined, "one", "one::two", "other"] as const;
const KEYS = ["a", "b", "one::a", "ключ", "a b"];

/** Numbers that the seed decides. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

/** The same contract, kept in a map of whole names. */
class Twin {
  namespace: string | undefined;
  readonly #values = new Map<string, string>();

  get #beginning(): string {
    return this.namespace === undefined ? "" : `${this.namespace}::`;
  }

  setMany(entries: readonly Keyv6Entry[]): boolean[] {
    for (const { key, value, expires } of entries) {
      if (expires !== undefined && expires < Date.now()) this.#values.delete(this.#beginning + key);
      else this.#values.set(this.#beginning + key, String(value));
    }
    return entries.map(() => true);
  }

  getMany(keys: readonly string[]): (string | undefined)[] {
    return keys.map((key) => this.#values.get(this.#beginning + key));
  }

  deleteMany(keys: readonly string[]): boolean[] {
    return keys.map((key) => this.#values.delete(this.#beginning + key));
  }

  clear(): void {
    for (const name of this.#values.keys()) if (name.startsWith(this.#beginning)) this.#values.delete(name);
  }

  pairs(): [string, string][] {
    return [...this.#values]
      .filter(([name]) => name.startsWith(this.#beginning))
      .map(([name, value]) => [name.slice(this.#beginning.length), value]);
  }
}

describe("the contract of Keyv 6", { timeout: STAGE_TEST_MS_MAX }, () => {
  stageTest("is kept through any order of calls", async ({ stage }) => {
    const [server] = (await stage.mesh(1)).servers;
    await server?.start();
    const kv = await connect(server?.address ?? "", { timeout: "60s" });
    stage.atEnd(() => kv.close());
    await kv.set("outside", 1);
    const store = new KeyvMeshkv6(kv);
    const twin = new Twin();
    const roll = dice(6);
    const pick = <Item>(items: readonly Item[]): Item => items[roll(items.length)] as Item;
    const keys = (): string[] => [...new Set(Array.from({ length: 1 + roll(3) }, () => pick(KEYS)))];
    const pairs = async (): Promise<[string, string][]> => {
      const found: [string, string][] = [];
      for await (const pair of store.iterator()) found.push(pair);
      return found;
    };
    const entries = (step: number): Keyv6Entry[] =>
      keys().map((key, index) => ({
        key,
        value: JSON.stringify({ value: `${step}.${index}` }),
        expires: pick([undefined, Date.now() + HOUR_MS, Date.now() - HOUR_MS]),
      }));

    for (let step = 0; step < STEPS; step += 1) {
      store.namespace = twin.namespace = pick(NAMESPACES);
      const some = keys();
      const [first = ""] = some;
      switch (roll(10)) {
        case 0:
          expect(await store.deleteMany(some)).toEqual(twin.deleteMany(some));
          break;
        case 1:
          expect(await store.delete(first)).toBe(twin.deleteMany([first])[0]);
          break;
        case 2: {
          const [entry] = entries(step);
          if (entry === undefined) throw new Error("no entry");
          expect(await store.set(entry.key, entry.value, entry.expires)).toBe(true);
          twin.setMany([entry]);
          break;
        }
        case 3:
          if (roll(4) === 0) {
            await store.clear();
            twin.clear();
          }
          break;
        case 4:
          expect(new Map(await pairs())).toEqual(new Map(twin.pairs()));
          break;
        case 5:
          expect(await store.get(first)).toBe(twin.getMany([first])[0]);
          expect(await store.has(first)).toBe(twin.getMany([first])[0] !== undefined);
          break;
        case 6:
          expect(await store.hasMany(some)).toEqual(twin.getMany(some).map((value) => value !== undefined));
          break;
        default: {
          const many = entries(step);
          expect(await store.setMany(many)).toEqual(twin.setMany(many));
        }
      }
      expect(await store.getMany(KEYS)).toEqual(twin.getMany(KEYS));
    }
    expect((await kv.get("outside"))?.value, "what is not Keyv's stays").toBe(1);
  });

  it("is what the store says of itself", async () => {
    const store = new KeyvMeshkv6("no address");
    const { capabilities } = store;
    expect(capabilities).toMatchObject({ compatible: true, store: "keyvStorage", expires: true });
    for (const [name, method] of Object.entries(capabilities.methods)) {
      expect(method).toEqual({ exists: true, methodType: "async" });
      expect(store[name as keyof typeof capabilities.methods]).toBeTypeOf("function");
    }
    await expect(store.get("a")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
