/** What does not compile. Nothing here runs: the compiler checks this file with all tests, and each wrong use must be one. */
import { describe, expect, expectTypeOf, it } from "vitest";
import {
  connect,
  type Entry,
  type KeyValues,
  type MeshkvClient,
  type StandardSchema,
  type Watch,
  type WatchEvent,
} from "../src/index.ts";

interface Cart {
  readonly items: number;
}

/** Never called: its body is for the compiler. */
export async function wrongUses(kv: MeshkvClient, carts: KeyValues<Cart>): Promise<void> {
  // @ts-expect-error a key is text or bytes
  await kv.get(42);
  // @ts-expect-error a function has no JSON form
  await kv.set("a", () => 1);
  // @ts-expect-error undefined has no JSON form
  await kv.set("a", undefined);
  // @ts-expect-error a bigint has no JSON form
  await kv.set("a", 1n);
  // @ts-expect-error a symbol has no JSON form
  await kv.set("a", Symbol("a"));
  // @ts-expect-error bytes belong to kv.bytes
  await kv.set("a", new Uint8Array());
  // @ts-expect-error a value is missing
  await kv.set("a");
  // @ts-expect-error not a unit
  await kv.set("a", 1, { ttl: "15 minutes" });
  // @ts-expect-error not a number
  await kv.set("a", 1, { ttl: "m" });
  // @ts-expect-error one condition, not two
  await kv.set("a", 1, { ifAbsent: true, ifVersion: "0" });
  // @ts-expect-error a condition that is false would be none
  await kv.set("a", 1, { ifAbsent: false });
  // @ts-expect-error no such level
  await kv.set("a", 1, { concern: "most" });
  // @ts-expect-error no such option
  await kv.set("a", 1, { expires: 5 });
  // @ts-expect-error a delete has no ttl
  await kv.delete("a", { ttl: "1h" });
  // @ts-expect-error a read has no concern
  await kv.get("a", { concern: 2 });
  // @ts-expect-error the type of the prefix
  await carts.set("42", { items: "three" });
  // @ts-expect-error a cart lacks its items
  await carts.set("42", {});
  // @ts-expect-error a write is a set or a delete
  await carts.batch([{ put: "42", value: { items: 3 } }]);
  // @ts-expect-error a set needs a value
  await carts.batch([{ set: "42" }]);
  // @ts-expect-error a delete takes none
  await carts.batch([{ delete: "42", value: { items: 3 } }]);
  // @ts-expect-error a key or a prefix, not both
  carts.watch({ key: "42", prefix: "4" });
  // @ts-expect-error a function has no JSON form in a session either
  await kv.session().set("a", () => 1);
  // @ts-expect-error text is text
  await kv.text.set("a", 1);
  // @ts-expect-error bytes are bytes
  await kv.bytes.set("a", "text");
  const both = {
    schema: schemaOf<Cart>(),
    format: { encode: () => new Uint8Array(), decode: () => ({ items: 1 }) },
  };
  // @ts-expect-error a schema or a format, not both
  kv.prefix<Cart>("cart/", both);
  // @ts-expect-error one watch goes on from a token, not from a number
  carts.watch({ resume: 7 });
  // @ts-expect-error how often is not a matter of choice
  await connect("127.0.0.1:4000", { retries: 3 });
  // @ts-expect-error a count, not the number itself
  (await carts.deletePrefix("4")).toFixed();
  // @ts-expect-error what was replaced is an entry
  for await (const event of carts.watch()) if (event.type === "put") event.previous?.items.toFixed();
  // @ts-expect-error there may be no conflict
  (await carts.conflict("42")).losers.at(0);
  // @ts-expect-error sessions have no sessions
  kv.session().session();
  // @ts-expect-error an entry is not to be written to
  ((await carts.get("42")) ?? fail()).value = { items: 4 };
  // @ts-expect-error there may be no entry
  (await carts.get("42")).value.items.toFixed();
}

declare function fail(): never;
declare function schemaOf<V>(): StandardSchema<V>;

describe("types", () => {
  it("are what views say they are", () => {
    expectTypeOf<KeyValues<Cart>["get"]>().returns.resolves.toEqualTypeOf<Entry<Cart> | undefined>();
    expectTypeOf<ReturnType<MeshkvClient["prefix"]>>().toExtend<KeyValues<unknown>>();
    expectTypeOf<KeyValues<Cart>["watch"]>().returns.toEqualTypeOf<Watch<Cart>>();
    expectTypeOf<Extract<WatchEvent<Cart>, { type: "put" }>["value"]>().toEqualTypeOf<Cart>();
    expect(wrongUses).toBeTypeOf("function");
  });
});
