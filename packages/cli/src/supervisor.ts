/**
 * Between `meshkv dev` and the servers it starts: Node's channel between parent and child. A server tells when it is
 * up, instead of introducing itself to a person, and stops when the channel closes, so that none outlives its `dev`.
 */
import process from "node:process";

/** What a server tells once it serves. */
export interface ReadyMessage {
  readonly kind: "ready";
  /** `host:port`. */
  readonly address: string;
  /** `host:port` of HTTP; undefined: it is off. */
  readonly httpAddress: string | undefined;
  readonly replicaId: string;
}

/** The parent, as a server sees it. */
export interface Supervisor {
  /** Tells the parent that this server is up. */
  announce(message: ReadyMessage): void;
  /** Aborted when the parent has closed the channel, or has ended. */
  readonly gone: AbortSignal;
}

/** The parent of this process; undefined when it was not started with a channel. */
export function findSupervisor(): Supervisor | undefined {
  if (process.send === undefined || !process.connected) return undefined;
  const gone = new AbortController();
  process.once("disconnect", () => gone.abort());
  return {
    announce: (message) => {
      // A parent that has just gone is noticed through the signal.
      process.send?.(message, undefined, {}, () => undefined);
    },
    gone: gone.signal,
  };
}

/** Whether a message of a child is that it is up. */
export function isReadyMessage(message: unknown): message is ReadyMessage {
  return (
    typeof message === "object" &&
    message !== null &&
    "kind" in message &&
    message.kind === "ready" &&
    "address" in message &&
    typeof message.address === "string" &&
    "replicaId" in message &&
    typeof message.replicaId === "string"
  );
}
