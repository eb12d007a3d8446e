import type { Replica } from "../replica/replica.ts";
import type { Outbox } from "../session/outbox.ts";
import type { Peering } from "../session/peering.ts";
import type { Table } from "../table.ts";

/** A replica with its machinery, on one generation of the tables. */
export interface Slot {
  /** Number of the tables; each replica of a process has its own. */
  readonly generation: number;
  /** Its durable entries. */
  readonly table: Table;
  /** Its state. */
  readonly replica: Replica;
  /** What it wants done; taken up by the host. */
  readonly outbox: Outbox;
  /** Its peers. */
  readonly peering: Peering;
}
