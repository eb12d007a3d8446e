/** While a server is cut off, it and another one write the same keys: neither can have seen the other's write. */
import { KeyValue } from "@meshkv/protocol";
import { MeshkvError } from "@meshkv/core";
import type { Duel } from "../checkers/eventually-listed.ts";
import type { Cluster, Subject } from "./cluster.ts";
import { bytesOf } from "./lane.ts";
import { Recorder } from "./recorder.ts";

const KEYS = 6;
const CALL_MS_MAX = 5000;

/** The duels of a run. */
export class Duels {
  readonly #cluster: Cluster;
  readonly #recorder: Recorder;
  #duels: Duel[] = [];
  #number = 0;
  /** Of all rounds. */
  fought = 0;
  /** The version that {@link restore} wrote after the last round; undefined when there was nothing to restore. */
  restored: string | undefined;

  constructor(cluster: Cluster, recorder: Recorder) {
    this.#cluster = cluster;
    this.#recorder = recorder;
  }

  /** Those of the round in which both sides were acknowledged while they were apart. */
  get duels(): readonly Duel[] {
    return this.#duels;
  }

  /** A round begins: the keys are used again, by writers that have seen what is there. */
  start(): void {
    this.#duels = [];
    this.#number = 0;
  }

  /**
   * Fights a duel on each of some keys.
   * @param isApart whether the one has been cut off from all others ever since this was called
   * @param isFair whether what a server acknowledges cannot be destroyed in this round
   */
  async fight(one: Subject, isApart: () => boolean, isFair: (subject: Subject) => boolean): Promise<void> {
    const other = this.#cluster.subjects.find(
      (subject) => subject !== one && subject.isOpen && isFair(subject),
    );
    if (other === undefined || !one.isOpen || !isFair(one)) return;
    const group = this.#number;
    this.#number += 1;
    const keys = Array.from({ length: KEYS }, (_, index) => `duel/${group}/${index}`);
    await Promise.all(
      keys.map(async (key) => {
        const values = await Promise.all([this.#write(one, key), this.#write(other, key)]);
        const [first, second] = values;
        if (first === undefined || second === undefined || !isApart()) return;
        this.#duels.push({ key, values: [first, second] });
        this.fought += 1;
      }),
    );
  }

  /** Writes the loser of one duel again, as its user would; the next round is to keep it. */
  async restore(): Promise<void> {
    this.restored = undefined;
    const [duel] = this.#duels;
    const subject = this.#cluster.subjects.at(-1);
    if (duel === undefined || subject === undefined) return;
    const [conflict] = await subject.process.client.conflicts(duel.key);
    const loser = conflict?.losers[0];
    if (loser === undefined) return;
    const place = Recorder.placeOf(subject);
    const atMs = performance.now();
    const { version, replicas } = await subject.process.client.call(KeyValue.method.restoreConflict, {
      key: bytesOf(duel.key),
      version: loser.version,
    });
    this.restored = version;
    const value = new TextDecoder().decode(loser.value);
    this.#recorder.wrote(place, atMs, replicas, [{ key: duel.key, value, outcome: "ok", version }]);
  }

  /** The value that was written; undefined when that is not certain. */
  async #write(subject: Subject, key: string): Promise<string | undefined> {
    const value = this.#recorder.newValue();
    const place = Recorder.placeOf(subject);
    const atMs = performance.now();
    try {
      const request = { key: bytesOf(key), value: bytesOf(value) };
      const reply = await subject.process.client.call(KeyValue.method.set, request, CALL_MS_MAX);
      const { version, replicas } = reply;
      this.#recorder.wrote(place, atMs, replicas, [{ key, value, outcome: "ok", version }]);
      return value;
    } catch (error) {
      if (!(error instanceof MeshkvError)) throw error;
      this.#recorder.wrote(place, atMs, 0, [{ key, value, outcome: "unknown", version: "" }]);
      return undefined;
    }
  }
}
