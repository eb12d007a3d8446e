import { decodeRecord } from "@meshkv/core";
import { replicaId } from "../arbitraries/identifiers.ts";
import { LoneReplica } from "../lone-replica.ts";
import { WiredHosts } from "../wired-hosts.ts";
import { agree, areMembers, demand, type Scenario } from "./scenario.ts";

const NOW_MS = 1_767_225_600_000;

function accepts(bytes: Uint8Array): boolean {
  try {
    decodeRecord(bytes);
    return true;
  } catch {
    return false;
  }
}

export const WRITING_SCENARIOS: readonly Scenario[] = [
  {
    name: "damaged-bytes-are-refused",
    run: () => {
      const { bytes } = new LoneReplica(replicaId(1), NOW_MS).write("key", "value");
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const damaged = bytes.slice();
        damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        demand(!accepts(damaged), `a record with bit ${bit} flipped is refused`);
      }
    },
  },
  {
    name: "a-damaged-replica-rejoins",
    run: () => {
      const wired = new WiredHosts();
      const [a, b] = wired.mesh("a", "b");
      if (a === undefined || b === undefined) return;
      b.write({ lost: "1", kept: "2" });
      wired.pass(2000);
      const old = b.replica.id;
      const [lost] = b.tables.entries.keys();
      if (lost !== undefined) b.tables.entries.delete(lost);
      b.host.change(b.wallMs, ({ replica }) => replica.setIdentity({ ...replica.identity, damaged: true }));
      wired.breakLinks(a, b);
      wired.until("it is new", () => b.replica.id !== old);
      wired.until("what was lost is back", () => agree(a, b));
    },
  },
  {
    name: "a-damaged-replica-that-is-alone-in-its-mesh-rejoins-a-younger-one",
    run: () => {
      const wired = new WiredHosts();
      const a = wired.start("a");
      a.write({ kept: "1" });
      wired.pass(2000);
      a.host.change(a.wallMs, ({ replica }) => replica.setIdentity({ ...replica.identity, damaged: true }));
      const b = wired.start("b", { peers: ["a"] });
      b.write({ other: "2" });
      wired.until("they are one mesh", () => areMembers([a, b]), 120_000);
      wired.until("nothing is lost", () => agree(a, b) && Object.keys(a.values).length === 2);
      demand(!a.replica.identity.damaged, "it is whole again");
    },
  },
  {
    name: "a-version-that-was-told-is-not-used-again",
    run: () => {
      const lone = new LoneReplica(replicaId(1), NOW_MS);
      lone.write("first", "1");
      lone.commit();
      const told = Array.from({ length: 20 }, (_, index) => lone.write("key", `${index}`));
      const early = told.filter(({ timestamp }) => timestamp <= lone.replica.durableClockMark);
      demand(early.length === told.length, "the mark runs ahead of the clock");
      lone.nowMs -= 60_000;
      lone.restart();
      for (let index = 0; index < 30; index += 1) {
        const { timestamp } = lone.write("key", "another");
        demand(
          early.every((record) => record.timestamp < timestamp),
          "a version that was told before the crash is older than every later one",
        );
      }
    },
  },
  {
    name: "expiry-writes-nothing",
    run: () => {
      const wired = new WiredHosts();
      const hosts = wired.mesh("a", "b", "c");
      const [a] = hosts;
      a?.write({ short: "lived" }, wired.nowMs + 500);
      wired.until("it has been forgotten", () => hosts.every(({ tables }) => tables.entries.size === 0));
      const sent = wired.delivered.flatMap(({ message }) =>
        message.kind === "frame" ? (message.log?.records ?? []) : [],
      );
      demand(sent.length === 2, "one put crosses two links, and its expiry none");
    },
  },
  {
    name: "equal-values-are-no-conflict",
    run: () => {
      const wired = new WiredHosts();
      const [a, b] = wired.mesh("a", "b");
      if (a === undefined || b === undefined) return;
      wired.cut(a, b);
      a.write({ key: "same", other: "1" });
      b.write({ key: "same", other: "2" });
      wired.heal(a, b);
      wired.until("they agree", () => agree(a, b) && a.linkedPeers.length > 0);
      wired.pass(500);
      for (const host of [a, b]) {
        demand(host.conflicts("key").length === 0, "equal values are no conflict");
        demand(host.conflicts("other").length === 1, "different values are one");
      }
    },
  },
  {
    name: "a-settled-loser-can-be-restored",
    run: () => {
      const wired = new WiredHosts();
      const [a, b] = wired.mesh("a", "b");
      if (a === undefined || b === undefined) return;
      wired.cut(a, b);
      a.write({ key: "mine" });
      b.write({ key: "yours" });
      wired.heal(a, b);
      wired.until("both list the conflict", () => [a, b].every((h) => h.conflicts("key").length === 1));
      a.write({ key: "settled" });
      wired.until("both see it settled", () => [a, b].every((h) => h.conflicts("key").length === 0));
      wired.pass(5000);
      for (const { tables } of [a, b]) {
        const kept = [...tables.settled.values()].map(({ record }) => new TextDecoder().decode(record.value));
        demand(kept.length === 1 && kept[0] !== "settled", "the loser is kept");
      }
    },
  },
  {
    name: "a-conflict-that-is-older-than-its-retention-when-it-arises-can-be-restored",
    run: () => {
      const wired = new WiredHosts();
      const config = { conflictRetentionMs: 60_000 };
      const [a, b] = [wired.start("a", config), wired.start("b", { ...config, peers: ["a"] })];
      wired.until("they are linked", () => a.linkedPeers.length > 0);
      wired.cut(a, b);
      a.write({ key: "mine" });
      b.write({ key: "yours" });
      wired.pass(90_000);
      wired.heal(a, b);
      wired.until("they agree", () => agree(a, b) && a.linkedPeers.length > 0);
      wired.pass(30_000);
      for (const host of [a, b]) {
        const kept = [...host.tables.settled.values()].map(({ record }) =>
          new TextDecoder().decode(record.value),
        );
        demand(host.conflicts("key").length === 0, "its retention has ended");
        demand(kept.length === 1 && kept[0] !== host.values["key"], "the loser can be restored");
      }
      wired.pass(60_000);
      for (const { tables } of [a, b]) demand(tables.settled.size === 0, "and goes in the end");
    },
  },
];
