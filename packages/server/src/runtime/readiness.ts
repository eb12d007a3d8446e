import { MeshkvError } from "@meshkv/core";
import type { StatusReport } from "../handlers/local-replica.ts";

/** Whether a replica can be used, and why not. */
export interface Readiness {
  readonly ready: boolean;
  /** As in the status. */
  readonly state: StatusReport["state"];
  /** For people; empty when it is ready. */
  readonly reason: string;
}

/** How often it is looked at, in milliseconds: full disks and wrong clocks announce themselves to nobody. */
const LOOK_MS = 500;

/** What all doors say of the readiness of one replica. */
export class ReadinessWatch {
  readonly #status: () => StatusReport;
  readonly #tell: (isReady: boolean) => void;
  #timer: NodeJS.Timeout | undefined;
  #told: boolean | undefined;
  #isStopping = false;

  /**
   * @param status throws UNAVAILABLE while the replica starts
   * @param tell called at every change
   */
  constructor(status: () => StatusReport, tell: (isReady: boolean) => void) {
    this.#status = status;
    this.#tell = tell;
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  /** How it is now. */
  current(): Readiness {
    if (this.#isStopping) return { ready: false, state: "stopping", reason: "this server is stopping" };
    try {
      const { state, stateReason } = this.#status();
      return { ready: state === "ready", state, reason: stateReason };
    } catch (error) {
      if (!(error instanceof MeshkvError)) throw error;
      const state = error.code === "UNAVAILABLE" ? "starting" : "storage-failed";
      return { ready: false, state, reason: error.message };
    }
  }

  /** Looks now, and tells a change. */
  look(): void {
    const { ready } = this.current();
    if (ready === this.#told) return;
    this.#told = ready;
    this.#tell(ready);
  }

  /** The server stops: it is not ready any more. */
  stop(): void {
    this.#isStopping = true;
    clearInterval(this.#timer);
    this.look();
  }
}
