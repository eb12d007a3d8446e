import type { FaultKind } from "../simulator/parameters.ts";
import type { Patch } from "./source-graph.ts";

/** Who has to notice a planted bug. */
export type Hunt =
  /** Quick simulated worlds with these faults. */
  | {
      readonly by: "simulator";
      readonly faults: readonly FaultKind[];
      /** Worlds with watchers, and clients that wait for several replicas. */
      readonly isPeopled?: boolean;
    }
  /** A scenario by its name, which must fail. */
  | { readonly by: "scenario"; readonly scenario: string };

/** A rule that is broken on purpose, in builds that only tests make. */
export interface PlantedBug {
  readonly name: string;
  /** The rule of the replication protocol, or the hazard, that it breaks. */
  readonly rule: string;
  /** What goes wrong by it. */
  readonly effect: string;
  readonly patches: readonly Patch[];
  readonly hunt: Hunt;
  /** Which other rule hides the breaking of this one alone: then `patches` break both. */
  readonly maskedBy?: string;
}

/** A patch of the core. */
export function inCore(file: string, find: string, replace: string): Patch {
  return { file: `core/src/${file}`, find, replace };
}

export function bySimulator(...faults: readonly FaultKind[]): Hunt {
  return { by: "simulator", faults };
}

/** By what clients see: watchers, sessions, and writers that wait for several replicas. */
export function byClients(...faults: readonly FaultKind[]): Hunt {
  return { by: "simulator", faults, isPeopled: true };
}

export function byScenario(scenario: string): Hunt {
  return { by: "scenario", scenario };
}
