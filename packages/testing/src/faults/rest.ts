/** Healing, waiting until nothing moves any more, and reading what is there. */
import { setTimeout as sleep } from "node:timers/promises";
import { eventuallyEqual } from "../checkers/eventually-equal.ts";
import { eventuallyListed } from "../checkers/eventually-listed.ts";
import type { FoundEntry, ServerState } from "../checkers/history.ts";
import { eventually } from "../processes/eventually.ts";
import { sameDigest } from "../processes/same-everywhere.ts";
import { type Cluster, READY_MS_MAX, type Subject } from "./cluster.ts";
import { bytesOf } from "./lane.ts";
import { Recorder } from "./recorder.ts";
import { MARK_KEYS } from "./watchers.ts";
import { KeyValue } from "@meshkv/protocol";

/** A call that its client has given up may still be carried out for so long. */
const STRAY_MS = 200;

/** What all servers hold at rest. */
export interface Rest {
  readonly states: readonly ServerState[];
}

/**
 * Heals what is left, sees the guest off, and waits until all servers show the same. Rejects when that does not come
 * about.
 * @param afterMark called with the value of {@link MARK_KEYS}, after which nothing is written; to be awaited, too
 */
export async function comeToRest(
  cluster: Cluster,
  recorder: Recorder,
  afterMark: (mark: string) => Promise<void>,
): Promise<Rest> {
  const { network, subjects, guest } = cluster;
  network.heal();
  const all = guest.isUp ? [...subjects, guest] : subjects;
  await Promise.all(all.map(({ process }) => process.ready(READY_MS_MAX)));
  if (guest.isUp) {
    await settle(all);
    await seeOff(cluster);
  }
  await sleep(STRAY_MS);
  await settle(subjects);
  const mark = await writeMark(subjects, recorder);
  const following = afterMark(mark);
  // Whoever waits for it hears of its failure; meanwhile it is not to end the process.
  following.catch(() => undefined);
  await settle(subjects);
  const states = await eventually(
    "all servers show the same",
    async () => {
      const found = await Promise.all(subjects.map(stateOf));
      const [difference] = [...eventuallyEqual(found), ...eventuallyListed(found)];
      if (difference !== undefined) throw new Error(difference);
      return found;
    },
    READY_MS_MAX,
  );
  await following;
  return { states };
}

async function settle(subjects: readonly Subject[]): Promise<void> {
  const servers = subjects.map(({ process }) => process);
  await Promise.all(servers.map((server) => server.ready(READY_MS_MAX)));
  await sameDigest(servers, READY_MS_MAX);
}

/** Writes the last value of a round, after which no watcher is told anything. */
async function writeMark(subjects: readonly Subject[], recorder: Recorder): Promise<string> {
  const [subject] = subjects;
  if (subject === undefined) throw new Error("no server to write to");
  return eventually(
    "a write at rest",
    async () => {
      const value = recorder.newValue();
      const place = Recorder.placeOf(subject);
      const atMs = performance.now();
      const note = (outcome: "ok" | "unknown", versions: readonly string[], replicas: number): void => {
        const results = MARK_KEYS.map((key, index) => ({
          key,
          value,
          outcome,
          version: versions[index] ?? "",
        }));
        recorder.wrote(place, atMs, replicas, results);
      };
      try {
        const writes = MARK_KEYS.map((key) => ({
          kind: { case: "set" as const, value: { key: bytesOf(key), value: bytesOf(value) } },
        }));
        const reply = await subject.process.client.call(KeyValue.method.batch, { writes });
        note("ok", reply.versions, reply.replicas);
        return value;
      } catch (error) {
        note("unknown", [], 0);
        throw error;
      }
    },
    READY_MS_MAX,
  );
}

async function seeOff({ guest, subjects }: Cluster): Promise<void> {
  guest.isOpen = false;
  const { replicaId } = await guest.process.ready(READY_MS_MAX);
  const [first] = subjects;
  await guest.kill();
  await eventually(
    "the guest is removed",
    async () => {
      // By force: everything is everywhere, and one that was interrupted while it joined cannot be asked.
      await first?.process.client.removeMember(replicaId, true);
    },
    READY_MS_MAX,
  );
  await guest.wipe();
  guest.epoch += 1;
}

async function stateOf({ name, process: { client } }: Subject): Promise<ServerState> {
  const [{ digest }, entries, conflicts] = await Promise.all([
    client.status(),
    client.entries(),
    client.conflicts(),
  ]);
  const decoder = new TextDecoder();
  const foundOf = ({ version, value }: { version: string; value: Uint8Array }): FoundEntry => ({
    version,
    value: decoder.decode(value),
  });
  return {
    server: name,
    digest,
    entries: new Map(entries.map((entry) => [decoder.decode(entry.key), foundOf(entry)])),
    conflicts: new Map(
      conflicts.map(({ winner, losers }) => [decoder.decode(winner?.key), losers.map(foundOf)]),
    ),
  };
}
