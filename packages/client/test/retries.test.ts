/** What is asked again, and where. */
import { eventually } from "@meshkv/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type ConnectOptions, connect, type MeshkvClient, MeshkvError } from "../src/index.ts";
import { ScriptedReplica } from "./scripted-replica.ts";

let replicas: ScriptedReplica[];
const clients: MeshkvClient[] = [];

beforeEach(async () => {
  replicas = await ScriptedReplica.mesh(2);
});

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(clients.splice(0).map((client) => client.close()));
  for (const replica of replicas) replica.stop();
});

/** A client that uses both replicas. */
async function client(options: ConnectOptions = {}): Promise<MeshkvClient> {
  const kv = await connect(replicas[0]?.address ?? "", options);
  clients.push(kv);
  await eventually("its replicas are in use", () => {
    expect(kv.replicas.filter(({ isWell }) => isWell)).toHaveLength(options.discover === false ? 1 : 2);
  });
  return kv;
}

/** What the next sets meet, whichever replica they come to; the last step stays. */
function script(...steps: ScriptedReplica["script"]): void {
  for (const replica of replicas) replica.script = steps;
}

/** All sets, whichever replica they came to. */
function sets(): { readonly at: number; readonly requestId: string }[] {
  return replicas.flatMap((replica, at) => replica.sets.map(({ requestId }) => ({ at, requestId })));
}

describe("a write that was refused before anything was done", () => {
  it.each(["UNAVAILABLE", "CLOCK_SKEW", "OVERLOADED", "STORAGE_FULL"] as const)(
    "goes to the other replica: %s",
    async (code) => {
      const kv = await client();
      script(new MeshkvError(code, "not here"), "answer");
      await expect(kv.set("a", 1, { ifAbsent: true })).resolves.toMatchObject({ replicas: 1 });
      expect(new Set(sets().map(({ at }) => at))).toEqual(new Set([0, 1]));
      expect(new Set(sets().map(({ requestId }) => requestId)).size).toBe(1);
    },
  );

  it.each(["CONDITION_FAILED", "INVALID_ARGUMENT", "TOO_LARGE", "PERMISSION_DENIED", "INTERNAL"] as const)(
    "is not asked elsewhere when the answer would be the same: %s",
    async (code) => {
      const kv = await client();
      script(new MeshkvError(code, "no", { version: "7" }));
      await expect(kv.set("a", 1)).rejects.toMatchObject({ code, message: "no", metadata: { version: "7" } });
      expect(sets()).toHaveLength(1);
    },
  );

  it("is asked again until no try could be answered in time, and ends with the last reason", async () => {
    const kv = await client({ timeout: "60s" });
    const clock = vi.spyOn(Date, "now");
    const refused = new MeshkvError("CLOCK_SKEW", "the clock is wrong");
    script(refused, refused, refused, () => {
      const lateMs = performance.timeOrigin + performance.now() + 59_950;
      clock.mockImplementation(() => lateMs);
      return refused;
    });
    await expect(kv.set("a", 1)).rejects.toMatchObject({ code: "CLOCK_SKEW", message: "the clock is wrong" });
    expect(sets()).toHaveLength(4);
  });

  it("is in doubt when a later try was not answered in time, and says what was wrong before", async () => {
    const kv = await client({ timeout: "3s" });
    script(new MeshkvError("CLOCK_SKEW", "the clock is wrong"), "hang");
    await expect(kv.set("a", 1)).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
      message: expect.stringMatching(
        /it is not known whether the write was done; before that: the clock is wrong$/,
      ),
    });
    expect(sets()).toHaveLength(2);
  });
});

describe("a write of a session", () => {
  it("is asked for elsewhere soon, but not when it waits for other replicas as its caller wants", async () => {
    const kv = await client({ timeout: "60s" });
    const session = kv.session("a token");
    const longest = (): number => Math.max(...replicas.flatMap(({ patience }) => patience));
    await session.set("a", 1);
    expect(longest()).toBeLessThanOrEqual(1500);
    await session.set("a", 2, { concern: 2 });
    expect(longest()).toBeGreaterThan(10_000);
  });
});

describe("a write that broke off", () => {
  it("goes to another replica under the same id, when it has no condition", async () => {
    const kv = await client();
    script("cut", "answer");
    await expect(kv.set("a", 1)).resolves.toMatchObject({ replicas: 1 });
    const [first, second] = sets();
    expect(sets()).toHaveLength(2);
    expect(first?.requestId).toMatch(/./);
    expect(second?.requestId).toBe(first?.requestId);
  });

  it("comes back to the same replica only, when it has a condition", async () => {
    const kv = await client();
    script("cut", "answer");
    const pending = kv.set("a", 1, { ifAbsent: true, timeout: "30s" });
    await eventually("one has been cut off", () => expect(sets()).toHaveLength(1));
    const at = sets()[0]?.at ?? -1;
    await replicas[at]?.start();
    await expect(pending).resolves.toMatchObject({ replicas: 1 });
    expect(sets().map((set) => set.at)).toEqual([at, at]);
    expect(new Set(sets().map(({ requestId }) => requestId)).size).toBe(1);
  });

  it("is in doubt when its replica does not come back, and asked nowhere else", async () => {
    const kv = await client();
    script("cut", "answer");
    await expect(kv.set("a", 1, { ifVersion: "0", timeout: 1500 })).rejects.toThrow(
      /it is not known whether the write was done/,
    );
    expect(sets()).toHaveLength(1);
  });
});

describe("a replica that refuses, while the other is not well", () => {
  /** Far more than pauses allow. */
  const OFTEN = 100;
  const busy = new MeshkvError("OVERLOADED", "too many");

  async function lonely(options: ConnectOptions = {}): Promise<[MeshkvClient, ScriptedReplica]> {
    const kv = await client(options);
    const [first, second] = replicas;
    if (first === undefined || second === undefined) throw new Error("no replicas");
    second.isServing = false;
    // Calls that nobody answers have it asked how it is.
    second.hangsGets = true;
    await eventually("one is out of use", async () => {
      await Promise.all(
        Array.from({ length: 8 }, (_, index) => kv.get(`key-${index}`).catch(() => undefined)),
      );
      expect(kv.replicas.find(({ address }) => address === second.address)?.isWell).toBe(false);
    });
    return [kv, first];
  }

  it("is asked again after pauses", async () => {
    const [kv, first] = await lonely();
    first.script = [busy];
    await expect(kv.set("a", 1, { timeout: "2s" })).rejects.toMatchObject({ code: "OVERLOADED" });
    expect(first.sets.length).toBeGreaterThan(1);
    expect(first.sets.length).toBeLessThan(OFTEN);
  });

  it("is asked for a watch again after pauses", async () => {
    const [kv, first] = await lonely();
    for await (const event of kv.watch({ signal: AbortSignal.timeout(2000) })) expect(event).toBe("none");
    expect(first.streams).toBeGreaterThan(1);
    expect(first.streams).toBeLessThan(OFTEN);
  });

  it("is asked for a comparison once, and for everything else where nothing is tried again", async () => {
    const [kv, first] = await lonely({ retries: false });
    first.script = [busy];
    const verify = async (): Promise<void> => {
      for await (const event of kv.verify()) expect(event).toBe("none");
    };
    await expect(verify()).rejects.toMatchObject({ code: "OVERLOADED" });
    await expect(kv.set("a", 1)).rejects.toMatchObject({ code: "OVERLOADED" });
    expect([first.streams, first.sets.length]).toEqual([1, 1]);
  });
});

describe("a replica that is not well", () => {
  it("is not given calls, and is again when it is", async () => {
    const kv = await client();
    const [first, second] = replicas;
    if (first === undefined || second === undefined) throw new Error("no replicas");
    first.stop();
    await Promise.all(Array.from({ length: 20 }, (_, index) => kv.get(`key-${index}`)));
    await eventually("it is out of use", () => {
      expect(kv.replicas.find(({ address }) => address === first.address)?.isWell).toBe(false);
    });
    const before = first.gets;
    await Promise.all(Array.from({ length: 20 }, (_, index) => kv.get(`key-${index}`)));
    expect(first.gets).toBe(before);
    await first.start();
    await eventually("it is in use again", async () => {
      await kv.get("key");
      expect(first.gets).toBeGreaterThan(before);
    });
  });

  it("is dropped when it is no member any more, and another is found", async () => {
    const kv = await client();
    const [first, second] = replicas;
    const [third] = await ScriptedReplica.mesh(1);
    if (first === undefined || second === undefined || third === undefined) throw new Error("no replicas");
    first.others = [third];
    third.others = [first];
    second.stop();
    replicas.push(third);
    await eventually("the members are known", () => {
      const addresses = kv.replicas.map(({ address }) => address);
      expect(addresses.toSorted()).toEqual([first.address, third.address].toSorted());
    });
  });

  it("says what is wrong when none can be reached at all", async () => {
    const dead = replicas.map(({ address }) => address);
    for (const replica of replicas) replica.stop();
    const failure = connect(dead, { connectTimeout: 500 });
    await expect(failure).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(failure).rejects.toThrow(
      /no replica can be reached:\n {2}cannot reach .*nothing listens there/,
    );
  });
});

describe("many calls at once", () => {
  it("share a stream, and a few do not", async () => {
    const kv = await client({ discover: false });
    const [first] = replicas;
    await kv.set("one", 1);
    expect(first?.pipelineMessages).toBe(0);
    const written = await Promise.all(
      Array.from({ length: 500 }, (_, index) => kv.set(`key-${index}`, index)),
    );
    expect(new Set(written.map(({ version }) => version)).size).toBe(500);
    expect(first?.sets).toHaveLength(501);
    expect(first?.pipelineMessages).toBeGreaterThan(0);
    expect(first?.pipelineMessages).toBeLessThan(100);
  });

  it("do not, when pipelining is switched off", async () => {
    const kv = await client({ discover: false, pipelining: false });
    await Promise.all(Array.from({ length: 100 }, (_, index) => kv.set(`key-${index}`, index)));
    expect(replicas[0]?.pipelineMessages).toBe(0);
    expect(replicas[0]?.sets).toHaveLength(100);
  });

  it("end at their deadlines, and when their callers give up", async () => {
    const kv = await client({ discover: false });
    script("hang");
    const giveUp = new AbortController();
    const late = Array.from({ length: 30 }, (_, index) => kv.set(`late-${index}`, 1, { timeout: 700 }));
    const left = Array.from({ length: 30 }, (_, index) =>
      kv.set(`left-${index}`, 1, { signal: giveUp.signal }),
    );
    const outcomes = Promise.allSettled([...late, ...left]);
    await eventually("they are under way", () => expect(sets()).toHaveLength(60));
    giveUp.abort(new Error("enough"));
    const codes = (await outcomes).map((outcome) =>
      outcome.status === "rejected" ? (outcome.reason as MeshkvError).code : "answered",
    );
    expect(new Set(codes.slice(0, 30))).toEqual(new Set(["DEADLINE_EXCEEDED"]));
    expect(new Set(codes.slice(30))).toEqual(new Set(["CANCELLED"]));
    await expect(left[0]).rejects.toMatchObject({ cause: new Error("enough") });
    expect(kv.replicas[0]?.inFlight).toBe(0);
  });

  it("end when the client is closed", async () => {
    const kv = await client({ discover: false });
    script("hang");
    const pending = Promise.allSettled(Array.from({ length: 20 }, (_, index) => kv.set(`key-${index}`, 1)));
    await eventually("they are under way", () => expect(sets()).toHaveLength(20));
    await kv.close();
    const codes = (await pending).map((outcome) =>
      outcome.status === "rejected" ? (outcome.reason as MeshkvError).code : "answered",
    );
    expect(new Set(codes)).toEqual(new Set(["CANCELLED"]));
    await expect(kv.get("a")).rejects.toMatchObject({ code: "CANCELLED" });
  });
});
