/** Names that stand for nobody yet, or whose look-up does not end. */
import { KeyValue } from "@meshkv/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Caller, type CallPlan } from "../src/call/caller.ts";
import { tell } from "../src/listener.ts";
import { parseSeed } from "../src/replicas/addresses.ts";
import { ReplicaSet } from "../src/replicas/replica-set.ts";
import { ScriptedReplica } from "./scripted-replica.ts";

let replica: ScriptedReplica;
let lookUps: number;
const sets: ReplicaSet[] = [];

beforeEach(async () => {
  const [only] = await ScriptedReplica.mesh(1);
  if (only === undefined) throw new Error("no replica");
  replica = only;
  lookUps = 0;
});

afterEach(() => {
  for (const set of sets.splice(0)) set.close();
  replica.stop();
});

/** The replicas behind a name, as a look-up that is counted finds them. */
function replicasBehind(resolve: () => Promise<readonly string[]>, lazy = true): ReplicaSet {
  const port = replica.address.split(":")[1] ?? "";
  const set = new ReplicaSet({
    seeds: [parseSeed(`dns:///mesh:${port}`)],
    discover: false,
    lazy,
    onNews: () => undefined,
    resolve: () => {
      lookUps += 1;
      return resolve();
    },
  });
  sets.push(set);
  return set;
}

async function get(set: ReplicaSet, retries: boolean, plan: Partial<CallPlan> = {}): Promise<unknown> {
  const caller = new Caller(set, { pipelining: false, retries, onRetry: () => undefined });
  const key = new Uint8Array([1]);
  return caller.call(
    KeyValue.method.get,
    { key },
    { kind: "read", deadlineMs: Date.now() + 60_000, ...plan },
  );
}

const never = (): Promise<readonly string[]> => new Promise(() => undefined);
/** A name that is unknown until it has been looked up so often. */
const knownAfter = (times: number) => (): Promise<readonly string[]> =>
  lookUps > times ? Promise.resolve(["127.0.0.1"]) : Promise.reject(new Error("ENOTFOUND"));

describe("a name that stands for nobody", () => {
  it("is looked up until it stands for somebody, for a call that may be tried again", async () => {
    const set = replicasBehind(knownAfter(3));
    await set.open(1, undefined);
    expect(set.all).toEqual([]);
    await get(set, true);
    expect(replica.gets).toBe(1);
    expect(lookUps).toBe(4);
  });

  it("is looked up once more for a call that may not", async () => {
    const set = replicasBehind(knownAfter(3));
    await set.open(1, undefined);
    const failure = get(set, false);
    await expect(failure).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(failure).rejects.toThrow("cannot resolve mesh");
    expect(lookUps).toBe(2);
  });

  it("ends a call with its deadline", async () => {
    const set = replicasBehind(() => Promise.reject(new Error("ENOTFOUND")));
    await set.open(1, undefined);
    await expect(get(set, true, { deadlineMs: Date.now() + 300 })).rejects.toThrow("cannot resolve mesh");
  });
});

describe("a look-up that does not end", () => {
  it("ends neither a connect nor a call later than they asked for, and is made once", async () => {
    const eager = replicasBehind(never, false);
    await expect(eager.open(50, undefined)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    const lazy = replicasBehind(never);
    await lazy.open(50, undefined);
    for (const retries of [true, false])
      await expect(get(lazy, retries, { deadlineMs: Date.now() + 50 })).rejects.toThrow(
        "cannot resolve mesh",
      );
    expect(lookUps).toBe(2);
  });

  it("ends with the caller's patience, and with the client", async () => {
    const set = replicasBehind(never);
    await set.open(1, undefined);
    const caller = new AbortController();
    const given = get(set, true, { signal: caller.signal });
    const closed = get(set, true);
    caller.abort();
    await expect(given).rejects.toMatchObject({ code: "CANCELLED" });
    set.close();
    await expect(closed).rejects.toMatchObject({ code: "CANCELLED", message: "the client is closed" });
  });
});

it("a listener that fails, at once or later, harms nobody", async () => {
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", onUnhandled);
  tell(() => {
    throw new Error("at once");
  });
  tell(() => Promise.reject(new Error("later")));
  // Such rejections are told after the turn in which they come.
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", onUnhandled);
  expect(unhandled).toEqual([]);
});
