/** Many callers of one client, and what became of their calls. */
import { type MeshkvClient, MeshkvError, type Session } from "../src/index.ts";

/** A call that failed. */
export interface FailedCall {
  readonly caller: string;
  readonly error: unknown;
}

/** Callers that go on until they are stopped. */
export class Callers {
  /** `performance.now()` of every call that was answered. */
  readonly answeredAtMs: number[] = [];
  readonly failures: FailedCall[] = [];
  /** What a session saw that it should not have seen. */
  readonly broken: string[] = [];
  readonly #kv: MeshkvClient;
  readonly #running: Promise<void>[] = [];
  #isStopped = false;

  constructor(kv: MeshkvClient) {
    this.#kv = kv;
  }

  /** Writes and reads keys of its own, without a session. */
  addPlain(name: string): void {
    this.#run(name, async (count) => {
      await this.#kv.set(`${name}/${count % 50}`, count);
      this.#answered();
      await this.#kv.get(`${name}/${(count * 7) % 50}`);
    });
  }

  /** Writes a count and must read it back, each time, in a session. Its writes are on two disks before it goes on. */
  addSession(name: string): Session {
    const session = this.#kv.session();
    this.#run(name, async (count) => {
      await session.set(name, count, { concern: 2 });
      this.#answered();
      const entry = await session.get<number>(name);
      if (entry?.value !== count) this.broken.push(`${name} wrote ${count} and read ${String(entry?.value)}`);
    });
    return session;
  }

  /** Counts a key up by conditional writes. What it does not know to have been written, it looks up. */
  addCounter(name: string): void {
    const session = this.#kv.session();
    this.#run(name, async () => {
      const entry = await session.get<number>(name);
      this.#answered();
      const condition = entry === undefined ? ({ ifAbsent: true } as const) : { ifVersion: entry.version };
      await session.set(name, (entry?.value ?? 0) + 1, { ...condition, concern: 2 });
    });
  }

  /** Calls that were answered. */
  get count(): number {
    return this.answeredAtMs.length;
  }

  /** The longest time without any answer since then, in milliseconds. */
  longestGapSince(startMs: number): number {
    const times = this.answeredAtMs.filter((atMs) => atMs >= startMs);
    let [previousMs, longestMs] = [startMs, 0];
    for (const atMs of times) {
      longestMs = Math.max(longestMs, atMs - previousMs);
      previousMs = atMs;
    }
    return longestMs;
  }

  /** Ends them all, after the calls that they are in. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  #answered(): void {
    this.answeredAtMs.push(performance.now());
  }

  #run(name: string, round: (count: number) => Promise<void>): void {
    const run = async (): Promise<void> => {
      for (let count = 1; !this.#isStopped; count += 1) {
        try {
          await round(count);
          this.#answered();
        } catch (error) {
          this.failures.push({ caller: name, error });
        }
      }
    };
    this.#running.push(run());
  }
}

/** Whether a failure is one that a conditional write must bring when its replica is gone: nobody knows if it was done. */
export function isDoubt(error: unknown): boolean {
  return error instanceof MeshkvError && /not known whether the write was done/.test(error.message);
}
