import { type KeyText, positionAt, type ReplicaId } from "@meshkv/core";
import { replicaId } from "../arbitraries/identifiers.ts";
import { LoneReplica } from "../lone-replica.ts";
import { WiredHosts } from "../wired-hosts.ts";
import { agree, areMembers, demand, type Scenario } from "./scenario.ts";

const NOW_MS = 1_767_225_600_000;

export const STREAMING_SCENARIOS: readonly Scenario[] = [
  {
    name: "a-stale-buffer-changes-nothing",
    run: () => {
      const [writer, reader] = [1, 2].map((number) => new LoneReplica(replicaId(number), NOW_MS));
      if (writer === undefined || reader === undefined) return;
      const put = writer.write("key", "value");
      const deleted = writer.write("key", undefined);
      const origin = writer.replica.id;
      reader.replica.accept(origin, [put, deleted], positionAt(deleted.timestamp), NOW_MS);
      reader.commit();
      // The tombstone has been forgotten, and a buffer that was under way for long arrives.
      reader.replica.setHorizon(deleted.timestamp, new Set());
      reader.replica.setEntry("key" as KeyText, undefined);
      reader.commit();
      reader.replica.accept(origin, [put], positionAt(put.timestamp), NOW_MS);
      reader.commit();
      demand(reader.replica.entry("key" as KeyText) === undefined, "a deleted key stays deleted");
      demand(
        (reader.tables.logs.get(origin) ?? []).length === 2,
        "the log has each record once, in the order of versions",
      );
    },
  },
  {
    name: "each-record-crosses-each-link-once",
    run: () => {
      const wired = new WiredHosts();
      const hosts = wired.mesh("a", "b", "c", "d");
      wired.pass(1000);
      const before = wired.delivered.length;
      for (let round = 0; round < 10; round += 1) {
        for (const host of hosts) host.write({ [host.name]: `${round}` });
        wired.pass(100);
      }
      wired.pass(1000);
      const records = wired.delivered
        .slice(before)
        .reduce(
          (sum, { message }) => sum + (message.kind === "frame" ? (message.log?.records.length ?? 0) : 0),
          0,
        );
      demand(records === 40 * 3, `each of 40 records is sent three times, not ${records / 40} times`);
    },
  },
  {
    name: "relays-do-not-starve",
    run: () => {
      const wired = new WiredHosts();
      const [a, b, c, d] = wired.mesh("a", "b", "c", "d");
      if (a === undefined || b === undefined || c === undefined || d === undefined) return;
      // The writer is reached by nobody but d, and d by nobody but b; a and c ask each other.
      for (const other of [a, b, c]) wired.cut(d, other);
      d.write({ news: "1" });
      wired.pass(500);
      wired.cut(a, b);
      wired.cut(b, c);
      wired.pass(500);
      wired.heal(b, d);
      wired.until("b has it", () => b.values["news"] === "1");
      wired.stop(d);
      wired.pass(1000);
      wired.heal(b, c);
      wired.until("all have it, though its writer is gone", () => agree(a, b, c), 20_000);
    },
  },
  {
    name: "members-travel-with-what-depends-on-them",
    run: () => {
      const wired = new WiredHosts();
      const [a, b] = wired.mesh("a", "b");
      if (a === undefined || b === undefined) return;
      const c = wired.start("c", { peers: ["a"] });
      const told: { readonly claim: number; readonly knew: readonly ReplicaId[] }[] = [];
      let admission = { at: Number.POSITIVE_INFINITY, joiner: c.replica.id };
      wired.mayDeliver = ({ from, to, message }) => {
        if (from === "a" && message.kind === "granted") {
          const joiner = c.host.successor?.replica.id;
          if (joiner !== undefined) admission = { at: message.observe, joiner };
        }
        if (from !== "a" || to !== "b" || message.kind !== "frame" || message.log === undefined) return true;
        const { claim, origin } = message.log;
        const knew = [b.replica.members, message.members].flatMap((set) => set?.current() ?? []);
        if (origin === a.replica.id) told.push({ claim: claim.timestamp, knew });
        return true;
      };
      for (let round = 0; round < 40; round += 1) {
        a.write({ key: `${round}` });
        wired.pass(50);
      }
      wired.until("three are members", () => areMembers([a, b, c]));
      const later = told.filter(({ claim }) => claim >= admission.at);
      demand(later.length > 0, "frames were sent after the admission");
      demand(
        later.every(({ knew }) => knew.includes(admission.joiner)),
        "whoever hears a position knows every member that was let in by then",
      );
    },
  },
];
