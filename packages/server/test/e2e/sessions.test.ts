/** Sessions that move between replicas while these are killed and cut off: never older than what they wrote or read. */
import { setTimeout as sleep } from "node:timers/promises";
import { MeshkvError } from "@meshkv/core";
import { KeyValue } from "@meshkv/protocol";
import {
  alwaysSession,
  eventually,
  type KnownDelete,
  sameEverywhere,
  type ServerProcess,
  type SessionStep,
  type Stage,
  STAGE_TEST_MS_MAX,
  stageTest as test,
  type TestMesh,
} from "@meshkv/testing";
import { describe, expect } from "vitest";

type Three = [ServerProcess, ServerProcess, ServerProcess];
const KEYS = Array.from({ length: 12 }, (_, index) => `key/${index}`);
/** Long enough for an answer, or a refusal, of a busy machine; not so long that those who wait hold up the test. */
const STEP_MS = 600;
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function three(stage: Stage): Promise<{ mesh: TestMesh; servers: Three }> {
  const mesh = await stage.mesh(3);
  for (const server of mesh.servers) server.launch();
  await Promise.all(mesh.servers.map((server) => server.ready()));
  // Started together, they are one mesh only when the younger ones have moved into the oldest.
  await Promise.all(mesh.servers.map(({ name, client }) => client.set(`from ${name}`, "x")));
  await sameEverywhere(mesh.servers);
  return { mesh, servers: mesh.servers as Three };
}

/** What all sessions of a test have done, for the checker. */
class Notes {
  readonly steps: SessionStep[] = [];
  readonly deletes: KnownDelete[] = [];
  refusals = 0;
  readonly failures: string[] = [];
}

/** One client with its token. Calls that are not answered leave the token as it was. */
class Session {
  readonly #name: string;
  readonly #notes: Notes;
  #token = "";
  #writes = 0;

  constructor(name: string, notes: Notes) {
    this.#name = name;
    this.#notes = notes;
  }

  async get(server: ServerProcess, key: string, timeoutMs: number): Promise<boolean> {
    return this.#try(async () => {
      const request = { key: bytesOf(key), session: this.#token };
      const reply = await server.client.call(KeyValue.method.get, request, timeoutMs);
      this.#token = reply.session;
      this.#note(server, key, "get", reply.entry?.version);
    });
  }

  /** A list shows every key at once. */
  async list(server: ServerProcess, timeoutMs: number): Promise<boolean> {
    return this.#try(async () => {
      const request = { prefix: bytesOf("key/"), session: this.#token };
      const reply = await server.client.call(KeyValue.method.list, request, timeoutMs);
      this.#token = reply.session;
      const versions = new Map(
        reply.entries.map(({ key, version }) => [new TextDecoder().decode(key), version]),
      );
      for (const key of KEYS) this.#note(server, key, "get", versions.get(key));
    });
  }

  async set(server: ServerProcess, key: string, timeoutMs: number): Promise<boolean> {
    return this.#try(async () => {
      this.#writes += 1;
      const value = bytesOf(`${this.#name}/${this.#writes}`);
      const request = { key: bytesOf(key), value, session: this.#token };
      const reply = await server.client.call(KeyValue.method.set, request, timeoutMs);
      this.#token = reply.session;
      this.#note(server, key, "set", reply.version);
    });
  }

  async delete(server: ServerProcess, key: string, timeoutMs: number): Promise<boolean> {
    const at = this.#notes.deletes.push({ key, version: undefined }) - 1;
    return this.#try(async () => {
      const request = { target: { case: "key" as const, value: bytesOf(key) }, session: this.#token };
      const reply = await server.client.call(KeyValue.method.delete, request, timeoutMs);
      this.#token = reply.session;
      this.#notes.deletes[at] = { key, version: reply.version };
      this.#note(server, key, "delete", reply.version);
    });
  }

  #note(server: ServerProcess, key: string, kind: SessionStep["kind"], version: string | undefined): void {
    this.#notes.steps.push({ session: this.#name, server: server.name, key, kind, version });
  }

  async #try(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof MeshkvError)) throw error;
      if (error.code === "SESSION_NOT_MET") this.#notes.refusals += 1;
      else this.#notes.failures.push(`${error.code}: ${error.message}`);
      return false;
    }
  }
}

/** Calls fail when the process is not there, or when the answer comes too late: nothing else. */
function isUnforeseen(failure: string): boolean {
  return !/^(UNAVAILABLE|DEADLINE_EXCEEDED|CANCELLED)/.test(failure);
}

/** A small generator, so that the order of steps is the same in every run of the test. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

describe("sessions", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("read what they wrote on a replica that was cut off, or are refused until it is not", async ({
    stage,
  }) => {
    const { mesh, servers } = await three(stage);
    const [a, b] = servers;
    const notes = new Notes();
    const session = new Session("s", notes);
    await session.set(a, "key/0", 15_000);
    await session.get(b, "key/0", 15_000);
    expect([notes.refusals, notes.failures], "what is on its way is waited for").toEqual([0, []]);
    mesh.network.isolate(b.port);
    expect(await session.set(a, "key/0", 15_000)).toBe(true);
    expect(await session.get(b, "key/0", 400)).toBe(false);
    expect(await session.list(b, 400)).toBe(false);
    expect(await session.set(b, "key/1", 400), "writes follow reads").toBe(false);
    expect(notes.refusals + notes.failures.length).toBe(3);
    expect(notes.failures.filter(isUnforeseen)).toEqual([]);
    // Others are served: it is this session that knows more.
    expect(await new Session("t", notes).get(b, "key/0", 15_000)).toBe(true);
    const cli = (verb: string, ...words: string[]) =>
      stage.run(verb, "--session-file", "session", "--timeout", "15s", ...words);
    expect(await cli("set", "cli", "1", "--ip", a.address, "--concern", "2")).toMatchObject({ exitCode: 0 });
    const refused = await cli("get", "cli", "--ip", b.address, "--timeout", "700ms");
    expect(refused).toMatchObject({ exitCode: 5, stdout: "" });
    const elsewhere = await cli("get", "cli", "--ip", b.address, "--ip", a.address, "--timeout", "30s");
    expect(elsewhere).toMatchObject({ exitCode: 0, stdout: "1" });
    const waiting = session.get(b, "key/0", 15_000);
    mesh.network.heal();
    expect(await waiting).toBe(true);
    expect(alwaysSession(notes.steps, notes.deletes)).toEqual([]);
  });

  test("move at random under load, kills and partitions, and never see anything older", async ({ stage }) => {
    const { mesh, servers } = await three(stage);
    const notes = new Notes();
    const over = new AbortController();
    const sessions = Array.from({ length: 6 }, (_, index) => new Session(`s${index}`, notes));
    const work = sessions.map(async (session, index) => {
      const roll = dice(index + 1);
      while (!over.signal.aborted) {
        const server = servers[roll(3)] ?? servers[0];
        const key = KEYS[roll(KEYS.length)] ?? "";
        const what = roll(10);
        if (what < 5) await session.get(server, key, STEP_MS);
        else if (what < 8) await session.set(server, key, STEP_MS);
        else if (what < 9) await session.delete(server, key, STEP_MS);
        else await session.list(server, STEP_MS);
        await sleep(2);
      }
    });
    const roll = dice(77);
    const grow = async (steps: number): Promise<void> => {
      const from = notes.steps.length;
      await eventually("sessions get on", () => {
        if (notes.steps.length < from + steps) throw new Error(`${notes.steps.length - from} steps`);
      });
    };
    for (let round = 0; round < 2; round += 1) {
      await grow(60);
      const victim = servers[roll(3)] ?? servers[0];
      mesh.network.isolate(victim.port);
      await grow(60);
      await eventually("a session is refused where it knows more", () =>
        expect(notes.refusals).toBeGreaterThan(round),
      );
      if (round % 2 === 0) {
        const other = servers[roll(3)] ?? servers[0];
        await other.kill();
        await grow(40);
        other.launch();
        await other.ready();
      }
      mesh.network.heal();
    }
    over.abort();
    await Promise.all(work);
    // Whole again, every session is served everywhere.
    for (const session of sessions) {
      for (const server of servers) {
        await eventually("a session is served", async () => {
          if (!(await session.list(server, 15_000))) throw new Error("it was not");
        });
      }
    }
    expect(notes.failures.filter((text) => !/^(UNAVAILABLE|DEADLINE_EXCEEDED|CANCELLED)/.test(text))).toEqual(
      [],
    );
    expect(alwaysSession(notes.steps, notes.deletes)).toEqual([]);
  });
});

describe("request ids", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("answer a retry with the first outcome after the process was killed", async ({ stage }) => {
    const { servers } = await three(stage);
    const [a] = servers;
    const retried = async (index: number): Promise<string> => {
      const request = { key: bytesOf(`k/${index}`), value: bytesOf("v"), requestId: `request ${index}` };
      return (await a.client.call(KeyValue.method.set, request)).version;
    };
    const first = Array.from({ length: 30 }, (_, index) => retried(index));
    const settled = Promise.allSettled(first);
    await first[0];
    await a.kill();
    const known = await settled;
    a.launch();
    await a.ready();
    const again = await Promise.all(known.map((_, index) => retried(index)));
    let answered = 0;
    for (const [index, outcome] of known.entries()) {
      if (outcome.status === "fulfilled") {
        answered += 1;
        expect(again[index]).toBe(outcome.value);
      }
      expect(await retried(index)).toBe(again[index]);
    }
    expect(answered).toBeGreaterThan(0);
  });
});

describe("a write concern", { timeout: STAGE_TEST_MS_MAX }, () => {
  test("counts distinct replicas that have the write on disk, and says who is missing", async ({ stage }) => {
    const { mesh, servers } = await three(stage);
    const [a, b, c] = servers;
    const set = (concern: object) =>
      a.client.call(KeyValue.method.set, { key: bytesOf("k"), value: bytesOf("v"), concern });
    const all = { kind: { case: "level" as const, value: 3 } };
    const two = { kind: { case: "replicas" as const, value: 2 } };
    expect((await set(all)).replicas).toBe(3);
    mesh.network.isolate(c.port);
    expect((await set(two)).replicas).toBeGreaterThanOrEqual(2);
    const soon = { ...all, timeout: { seconds: 0n, nanos: 300_000_000 } };
    const refusal = await eventually("b has it in time", async () => {
      const error: MeshkvError | undefined = await set(soon).then(
        () => undefined,
        (thrown) => thrown,
      );
      expect(error).toMatchObject({ code: "CONCERN_NOT_MET", metadata: { replicas: "2", members: "3" } });
      return error;
    });
    const found = await b.client.call(KeyValue.method.get, {
      key: bytesOf("k"),
      session: refusal?.metadata["session"] ?? "",
    });
    expect(found.entry?.version).toBe(refusal?.metadata["version"]);
    const waiting = set(all);
    mesh.network.heal();
    expect((await waiting).replicas, "it is met when the last one has it").toBe(3);
    // A removed member is waited for no more.
    const { replicaId } = await c.client.status();
    await c.kill();
    const stuck = set(all);
    await a.client.removeMember(replicaId, true);
    expect((await stuck).replicas).toBe(2);
  });
});
