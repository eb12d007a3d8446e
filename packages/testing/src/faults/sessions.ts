/** Clients with a session token that ask another server every time. */
import { setTimeout as sleep } from "node:timers/promises";
import { MeshkvError } from "@meshkv/core";
import { KeyValue } from "@meshkv/protocol";
import type { SessionStep } from "../checkers/always-session.ts";
import { Random } from "../simulator/random.ts";
import type { Subject } from "./cluster.ts";
import { bytesOf, NEVER_SENT, REFUSALS } from "./lane.ts";
import { HOT_KEYS } from "./load.ts";
import { Recorder } from "./recorder.ts";

const CALL_MS_MAX = 2000;
const PAUSE_MS = { afterAnswer: 15, afterError: 40 };

/** How sessions are made. */
export interface SessionOptions {
  readonly seed: number;
  readonly sessions: number;
  /** Servers that a session may ask now. */
  readonly open: () => readonly Subject[];
}

/** The sessions of a run; each round has new ones. */
export class Sessions {
  readonly #recorder: Recorder;
  readonly #options: SessionOptions;
  #isStopping = false;
  #under: Promise<void>[] = [];
  #steps: SessionStep[] = [];
  /** Of all rounds. */
  readonly totals = { steps: 0, refusals: 0 };

  constructor(recorder: Recorder, options: SessionOptions) {
    this.#recorder = recorder;
    this.#options = options;
  }

  /** What the sessions of the round have done. */
  get steps(): readonly SessionStep[] {
    return this.#steps;
  }

  start(round: number): void {
    const { seed, sessions } = this.#options;
    this.#isStopping = false;
    this.#steps = [];
    this.#under = Array.from({ length: sessions }, (_, index) =>
      this.#session(`s${round}.${index}`, new Random(seed, 0x4000_0000 + round * 100 + index)),
    );
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#under);
  }

  async #session(name: string, random: Random): Promise<void> {
    let token = "";
    while (!this.#isStopping) {
      const open = this.#options.open();
      if (open.length === 0) {
        await sleep(PAUSE_MS.afterError);
        continue;
      }
      const subject = random.pick(open);
      const key = random.pick(HOT_KEYS);
      const what = random.float();
      const next = await (what < 0.5
        ? this.#get(name, subject, key, token)
        : what < 0.6
          ? this.#list(name, subject, token)
          : this.#write(name, subject, key, what < 0.9 ? this.#recorder.newValue() : undefined, token));
      if (next !== undefined) token = next;
      await sleep(next === undefined ? PAUSE_MS.afterError : PAUSE_MS.afterAnswer);
    }
  }

  #get(session: string, subject: Subject, key: string, token: string): Promise<string | undefined> {
    return this.#try(async () => {
      const request = { key: bytesOf(key), session: token };
      const reply = await subject.process.client.call(KeyValue.method.get, request, CALL_MS_MAX);
      this.#note(session, subject, key, "get", reply.entry?.version);
      return reply.session;
    });
  }

  /** A list shows all keys of its range at once. */
  #list(session: string, subject: Subject, token: string): Promise<string | undefined> {
    return this.#try(async () => {
      const request = { prefix: bytesOf("hot/"), session: token };
      const reply = await subject.process.client.call(KeyValue.method.list, request, CALL_MS_MAX);
      const decoder = new TextDecoder();
      const versions = new Map(reply.entries.map(({ key, version }) => [decoder.decode(key), version]));
      for (const key of HOT_KEYS) this.#note(session, subject, key, "get", versions.get(key));
      return reply.session;
    });
  }

  #write(
    session: string,
    subject: Subject,
    key: string,
    value: string | undefined,
    token: string,
  ): Promise<string | undefined> {
    const place = Recorder.placeOf(subject);
    const atMs = performance.now();
    const { client } = subject.process;
    return this.#try(
      async () => {
        const target = bytesOf(key);
        const reply = await (value === undefined
          ? client.call(
              KeyValue.method.delete,
              { target: { case: "key", value: target }, session: token },
              CALL_MS_MAX,
            )
          : client.call(
              KeyValue.method.set,
              { key: target, value: bytesOf(value), session: token },
              CALL_MS_MAX,
            ));
        const { version, replicas } = reply;
        this.#recorder.wrote(place, atMs, replicas, [{ key, value, outcome: "ok", version }]);
        this.#note(session, subject, key, value === undefined ? "delete" : "set", version);
        return reply.session;
      },
      ({ code, message }) => {
        const isRefused = REFUSALS.has(code) || code === "SESSION_NOT_MET" || NEVER_SENT.test(message);
        const outcome = isRefused ? "fail" : "unknown";
        this.#recorder.wrote(place, atMs, 0, [{ key, value, outcome, version: "" }]);
      },
    );
  }

  #note(
    session: string,
    { name }: Subject,
    key: string,
    kind: SessionStep["kind"],
    version: string | undefined,
  ): void {
    this.totals.steps += 1;
    this.#steps.push({ session, server: name, key, kind, version });
  }

  /** The next token; undefined when there was no answer. */
  async #try(
    work: () => Promise<string>,
    failed?: (error: MeshkvError) => void,
  ): Promise<string | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof MeshkvError)) throw error;
      if (error.code === "SESSION_NOT_MET") this.totals.refusals += 1;
      failed?.(error);
      return undefined;
    }
  }
}
