/** Short stories on the production core, each about one promise. */
import type { WiredHost } from "../wired-host.ts";
import type { WiredHosts } from "../wired-hosts.ts";

/** A story that ends well, or throws what went wrong. */
export interface Scenario {
  /** The promise, as one phrase in kebab case. */
  readonly name: string;
  readonly run: () => void | Promise<void>;
}

/** Throws when something does not hold. */
export function demand(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new Error(`it does not hold that ${promise}`);
}

/** The values of a host as text that is equal for equal ones. */
export function shown({ values }: WiredHost): string {
  return JSON.stringify(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Whether all hosts show the same. */
export function agree(...hosts: readonly WiredHost[]): boolean {
  return new Set(hosts.map(shown)).size === 1;
}

/** Whether every host sees as many members. */
export function areMembers(hosts: readonly WiredHost[], count = hosts.length): boolean {
  return hosts.every(({ replica }) => replica.members.current().length === count);
}

/** A replica offers what it has to one of another mesh, and the two lose each other before it has moved. */
export function breakOffRejoin(wired: WiredHosts, mover: WiredHost, source: WiredHost): void {
  wired.mayDeliver = ({ to, message }) => {
    if (to !== mover.name || message.kind !== "adopted") return true;
    wired.cut(mover, source);
    return false;
  };
  wired.dial(mover, source, true);
  wired.until("the rejoin is given up", () => mover.count("rejoin-failed") > 0, 120_000);
  wired.mayDeliver = () => true;
}
