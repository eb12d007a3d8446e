/** What the state machine wants done: collected while it handles one event, carried out by its shell afterwards. */
import type { ErrorCode } from "../error-code.ts";
import type { ScanRequest, ScanResult } from "../table.ts";
import type { PeerMessage } from "./messages.ts";

/** Names a link between two processes; chosen by the shell, never reused within a process. */
export type LinkId = number;

/** One thing that the state machine of a replica wants done. */
export type Action =
  | { readonly kind: "send"; readonly link: LinkId; readonly message: PeerMessage }
  /** Close the link; `code` is undefined for an orderly end. */
  | {
      readonly kind: "close";
      readonly link: LinkId;
      readonly code: ErrorCode | undefined;
      readonly message: string;
    }
  /** Read the tables; answer with {@link Outbox.scanned}. */
  | { readonly kind: "scan"; readonly id: number; readonly request: ScanRequest }
  /** This replica cannot go on as it is: it must rejoin through the peer at the address (rule M2). */
  | { readonly kind: "rejoin"; readonly address: string; readonly code: ErrorCode; readonly message: string }
  /** For the log. */
  | {
      readonly kind: "event";
      readonly name: string;
      readonly details: Readonly<Record<string, string | number>>;
    };

export type ScanDone = (result: ScanResult, nowMs: number) => void;

export class Outbox {
  #actions: Action[] = [];
  #nextScan = 1;
  readonly #scans = new Map<number, ScanDone>();
  readonly #durable: { readonly group: number; readonly run: () => void }[] = [];
  #later: ((nowMs: number) => void)[] = [];

  push(action: Action): void {
    this.#actions.push(action);
  }

  send(link: LinkId, message: PeerMessage): void {
    this.#actions.push({ kind: "send", link, message });
  }

  event(name: string, details: Readonly<Record<string, string | number>> = {}): void {
    this.#actions.push({ kind: "event", name, details });
  }

  scan(request: ScanRequest, done: ScanDone): void {
    const id = this.#nextScan;
    this.#nextScan += 1;
    this.#scans.set(id, done);
    this.#actions.push({ kind: "scan", id, request });
  }

  /** Delivers the answer to a scan; answers to forgotten scans are dropped. */
  scanned(id: number, result: ScanResult, nowMs: number): void {
    const done = this.#scans.get(id);
    this.#scans.delete(id);
    done?.(result, nowMs);
  }

  /** Runs something once the group is durable. */
  afterDurable(group: number, run: () => void): void {
    this.#durable.push({ group, run });
  }

  /** Tells that the group is durable. */
  durable(group: number): void {
    while ((this.#durable[0]?.group ?? Number.POSITIVE_INFINITY) <= group) this.#durable.shift()?.run();
  }

  /** Runs something when the shell has carried out all that was to be done: by then it has said what it cannot take. */
  later(run: (nowMs: number) => void): void {
    this.#later.push(run);
  }

  /** Tells that everything was carried out. */
  resume(nowMs: number): void {
    if (this.#later.length === 0) return;
    const later = this.#later;
    this.#later = [];
    for (const run of later) run(nowMs);
  }

  /** Takes what is to be done, in order. */
  take(): Action[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }
}
