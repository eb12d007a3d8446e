import { timestampToMs } from "@meshkv/core";
import type { WiredHost } from "../wired-host.ts";
import { WiredHosts } from "../wired-hosts.ts";
import { agree, areMembers, demand, type Scenario } from "./scenario.ts";

const TEN_YEARS_MS = 10 * 365 * 86_400_000;

/** How far the logical clocks of hosts are ahead of the wall, at most. */
function aheadMs(wired: WiredHosts, ...hosts: readonly WiredHost[]): number {
  return Math.max(...hosts.map(({ replica }) => timestampToMs(replica.clock.last) - wired.nowMs));
}

export const CLOCK_SCENARIOS: readonly Scenario[] = [
  {
    name: "a-clock-far-ahead-drags-nobody-along",
    run: () => {
      const wired = new WiredHosts();
      const [a, b, c] = wired.mesh("a", "b", "c");
      if (a === undefined || b === undefined || c === undefined) return;
      wired.stop(c);
      c.offsetMs = TEN_YEARS_MS;
      wired.start("c", { peers: ["a"] });
      c.write({ key: "future" });
      wired.pass(5000);
      demand(aheadMs(wired, a, b) < 61_000, "no clock is dragged along");
    },
  },
  {
    name: "a-clock-that-runs-away-drags-nobody-along",
    run: () => {
      const wired = new WiredHosts();
      const [a, b, c] = wired.mesh("a", "b", "c");
      if (a === undefined || b === undefined || c === undefined) return;
      c.offsetMs = TEN_YEARS_MS;
      c.write({ key: "future" });
      wired.pass(5000);
      demand(aheadMs(wired, a, b) < 61_000, "no clock is dragged along");
    },
  },
  {
    name: "a-clock-off-the-median-stops-writes",
    run: () => {
      const wired = new WiredHosts();
      const [a, b, c] = wired.mesh("a", "b", "c");
      if (a === undefined || b === undefined || c === undefined) return;
      wired.pass(500);
      c.offsetMs = 55_000;
      wired.breakLinks(a, c);
      wired.breakLinks(b, c);
      wired.until("they are linked again", () => c.linkedPeers.length === 2);
      wired.pass(1000);
      demand(c.host.active.peering.isClockOff(), "a clock that is off is told so");
      demand(![a, b].some(({ host }) => host.active.peering.isClockOff()), "the others are not");
    },
  },
  {
    name: "a-mended-clock-comes-back",
    run: () => {
      const wired = new WiredHosts();
      const [a, b] = wired.mesh("a", "b");
      if (a === undefined || b === undefined) return;
      const old = b.replica.id;
      wired.cut(a, b);
      b.offsetMs = TEN_YEARS_MS;
      wired.pass(1000);
      b.write({ future: "1", both: "future" });
      wired.pass(1000);
      b.offsetMs = 0;
      a.write({ both: "present" });
      wired.heal(a, b);
      wired.until("it has another id", () => b.replica.id !== old);
      wired.until("no write is lost", () => agree(a, b) && a.values["future"] === "1" && areMembers([a, b]));
      demand(aheadMs(wired, a, b) < 61_000, "no clock is dragged along");
      a.write({ future: "overwritten" });
      wired.until("it can be overwritten at once", () => agree(a, b) && a.values["future"] === "overwritten");
    },
  },
];
