/**
 * The outcomes of writes that came with a request id, so that a retry is answered and not done again. An id is known
 * from the moment when its commit is accepted; it is forgotten when the commit fails, when ten minutes have passed, or
 * when there are too many. The store keeps the outcome in the same batch as the write, so that it is known after a crash
 * if and only if the write is there.
 */
import { type KeyText, MeshkvError, REQUEST_ID_MS, REQUEST_IDS_MAX } from "@meshkv/core";
import type { CommitTicket, RequestMark } from "../handlers/local-replica.ts";
import { decodeOutcome, requestIdOf } from "./request-row.ts";

interface Known {
  readonly content: number;
  readonly ticket: CommitTicket;
  readonly atMs: number;
}

/** Ids that are looked at for their age with every new one: more than come in, so that old ones do not pile up. */
const AGED_AT_ONCE = 2;

export class RequestLedger {
  /** Oldest first. */
  readonly #known = new Map<string, Known>();
  readonly #countMax: number;

  constructor(countMax: number = REQUEST_IDS_MAX) {
    this.#countMax = countMax;
  }

  /** Ids that are remembered. */
  get size(): number {
    return this.#known.size;
  }

  /**
   * What came of the request, if it was met before.
   * @throws MeshkvError INVALID_ARGUMENT when the id stood for another write
   */
  find({ id, content }: RequestMark, nowMs: number): CommitTicket | undefined {
    const known = this.#known.get(id);
    if (known === undefined || isOver(known, nowMs)) return undefined;
    if (known.content === content) return known.ticket;
    throw new MeshkvError(
      "INVALID_ARGUMENT",
      "request_id: stood for another write less than ten minutes ago: take a new id for every write, and the same one to try it again",
      { field: "request_id" },
    );
  }

  /** Remembers what came of a request. Returns the ids that are forgotten for it. */
  add({ id, content }: RequestMark, ticket: CommitTicket, nowMs: number): string[] {
    const forgotten: string[] = [];
    this.#known.delete(id);
    this.#known.set(id, { content, ticket, atMs: nowMs });
    for (const [oldest, known] of this.#known) {
      const isTooMuch = this.#known.size > this.#countMax;
      if (!isTooMuch && (forgotten.length >= AGED_AT_ONCE || !isOver(known, nowMs))) break;
      this.#known.delete(oldest);
      forgotten.push(oldest);
    }
    return forgotten;
  }

  /** Takes in what the store has kept of earlier runs; what is known already stays. */
  restore(rows: ReadonlyMap<KeyText, Uint8Array>): void {
    const all = Array.from(rows, ([key, bytes]) => ({ id: requestIdOf(key), ...decodeOutcome(bytes) }));
    all.sort((a, b) => a.atMs - b.atMs);
    for (const { id, atMs, content, versions, existed } of all) {
      if (this.#known.has(id)) continue;
      const ticket = { versions, existed, durable: Promise.resolve(), isNamed: true };
      this.#known.set(id, { content, ticket, atMs });
    }
  }

  /** The commit did not become durable: a retry may do it. */
  forget(id: string, ticket: CommitTicket): void {
    if (this.#known.get(id)?.ticket === ticket) this.#known.delete(id);
  }
}

/** A clock that was set back makes an id live longer, never shorter than it should. */
function isOver({ atMs }: Known, nowMs: number): boolean {
  return nowMs - atMs > REQUEST_ID_MS;
}
