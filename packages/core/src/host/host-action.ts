import type { ChangeSet } from "../change-set.ts";
import type { Action } from "../session/outbox.ts";

/** What the host wants its process to do, in the order in which it is handed out. */
export type HostAction =
  | Exclude<Action, { kind: "scan" | "rejoin" }>
  | (Extract<Action, { kind: "scan" }> & { readonly generation: number })
  /** Make the group durable in the generation, then call {@link Host.groupDurable}. */
  | { readonly kind: "commit"; readonly generation: number; readonly group: ChangeSet }
  /** Open a link; answer with {@link Host.linkOpened} or {@link Host.dialFailed}. */
  | {
      readonly kind: "dial";
      readonly address: string;
      readonly invited: boolean;
      readonly generation: number;
    }
  /** Make the generation the current one, durably, then call {@link Host.switched}. */
  | { readonly kind: "switch"; readonly generation: number }
  /** The generation's rows are of no more use. */
  | { readonly kind: "discard"; readonly generation: number };
