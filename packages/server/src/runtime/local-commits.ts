/** The writes of clients on one run: admission, conditions, commit groups, request ids, and acknowledgement. */
import {
  type Entry,
  formatVersion,
  isLive,
  invariant,
  MeshkvError,
  type Slot,
  type Version,
} from "@meshkv/core";
import type {
  AckOptions,
  CommitTicket,
  LocalWrite,
  RequestMark,
  WriteOptions,
  WriteOutcome,
  WriteTurn,
} from "../handlers/local-replica.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import type { RequestLedger } from "./request-ledger.ts";
import { encodeOutcome, requestKey } from "./request-row.ts";
import type { Run } from "./run.ts";

/** Uncommitted bytes above which writers wait for the disk. */
const WRITE_AHEAD_BYTES = 32 * 1024 * 1024;

export class LocalCommits {
  readonly run: Run;
  readonly #requests: RequestLedger;
  readonly #acknowledgements: Acknowledgements;
  #willPump = false;

  constructor(run: Run, requests: RequestLedger) {
    this.run = run;
    this.#requests = requests;
    this.#acknowledgements = new Acknowledgements(run);
  }

  /** A successor takes over, or the disk is behind. */
  get #mustWait(): boolean {
    const { host } = this.run;
    return host.isFrozen || host.active.replica.pendingBytes > WRITE_AHEAD_BYTES;
  }

  /** Waits while writes have to wait, and refuses what cannot be kept. */
  async admit(signal: AbortSignal): Promise<void> {
    if (this.#mustWait) await this.run.until(() => !this.#mustWait, signal);
    if (signal.aborted) throw signal.reason;
    this.#refuse();
  }

  #refuse(): void {
    const { failure, database, host } = this.run;
    if (failure !== undefined) throw failure;
    if (database.isFull) {
      throw new MeshkvError(
        "STORAGE_FULL",
        "the disk of this replica is nearly full: free space, or write to another replica",
      );
    }
    if (host.active.peering.isClockOff()) {
      throw new MeshkvError(
        "CLOCK_SKEW",
        "this replica's clock is far off its peers': set the clock, or write to another replica",
      );
    }
  }

  async write(writes: readonly LocalWrite[], options: WriteOptions): Promise<WriteOutcome> {
    if (this.#mustWait) await this.admit(options.call.signal);
    else this.#refuse();
    const ticket = this.#turn((turn) => turn.commit(writes, options.request));
    return this.acknowledge(ticket, options);
  }

  /** As `LocalReplica.writeTurn`. */
  turn<Result extends object>(work: (turn: WriteTurn) => Result): Result | undefined {
    if (this.#mustWait) return undefined;
    this.#refuse();
    return this.#turn(work);
  }

  #turn<Result>(work: (turn: WriteTurn) => Result): Result {
    const { host } = this.run;
    const nowMs = Date.now();
    try {
      return host.change(nowMs, (slot) => work(new Turn(this.run, this.#requests, slot, nowMs)));
    } finally {
      this.#pumpSoon();
    }
  }

  /**
   * Carries out what the writes asked for once all that has come in by now is taken in: calls that arrive together share
   * one commit group even where no other group is at the disk. Nothing is waited for.
   */
  #pumpSoon(): void {
    if (this.#willPump) return;
    this.#willPump = true;
    setImmediate(() => {
      this.#willPump = false;
      this.run.pump();
    });
  }

  /** As `LocalReplica.acknowledge`. */
  async acknowledge(ticket: CommitTicket, options: AckOptions): Promise<WriteOutcome> {
    const { versions, existed } = ticket;
    const last = versions.at(-1);
    if (last === undefined) return { versions, existed, replicas: 1 };
    // Relaxed: acknowledged before the disk has it, as long as no crash can make the version name another write (W4).
    if (options.concern.kind === "relaxed" && ticket.isNamed) return { versions, existed, replicas: 0 };
    await ticket.durable;
    const replicas = this.#acknowledgements.wait(last, options);
    return { versions, existed, replicas: typeof replicas === "number" ? replicas : await replicas };
  }
}

/** One turn: it ends before anything else can happen to the replica. */
class Turn implements WriteTurn {
  readonly #run: Run;
  readonly #requests: RequestLedger;
  readonly #slot: Slot;
  readonly #nowMs: number;
  #durable: Promise<void> | undefined;

  constructor(run: Run, requests: RequestLedger, slot: Slot, nowMs: number) {
    this.#run = run;
    this.#requests = requests;
    this.#slot = slot;
    this.#nowMs = nowMs;
  }

  commit(writes: readonly LocalWrite[], request: RequestMark | undefined): CommitTicket {
    const { replica, generation } = this.#slot;
    const nowMs = this.#nowMs;
    const known = request === undefined ? undefined : this.#requests.find(request, nowMs);
    if (known !== undefined) return known;
    invariant(!this.#run.host.isFrozen, "writes wait while a successor takes over");
    const [first] = writes;
    const entry = first === undefined ? undefined : replica.entry(first.key);
    const existed =
      first !== undefined && writes.length === 1
        ? ofOne(checkCondition(entry, first, 0, nowMs))
        : writes.map((write, index) => checkCondition(replica.entry(write.key), write, index, nowMs));
    const records = replica.write(writes, nowMs, entry);
    if (this.#durable === undefined) {
      this.#durable = this.#run.durable(generation, replica.groupNumber);
      // Whoever waits hears of a failure; of a relaxed write nobody does.
      this.#durable.catch(() => undefined);
    }
    // Not the records themselves: nobody who holds a ticket is to keep them alive.
    const versions = records.map(versionOf);
    const ticket: CommitTicket = {
      versions,
      existed,
      durable: this.#durable,
      isNamed: (versions.at(-1)?.timestamp ?? 0) <= replica.durableClockMark,
    };
    if (request !== undefined) {
      const rows = replica.group.requests;
      const outcome = encodeOutcome({ atMs: nowMs, content: request.content, versions, existed });
      rows.push({ id: requestKey(request.id), outcome });
      for (const id of this.#requests.add(request, ticket, nowMs)) {
        rows.push({ id: requestKey(id), outcome: undefined });
      }
      ticket.durable.catch(() => this.#requests.forget(request.id, ticket));
    }
    return ticket;
  }
}

const EXISTED: readonly boolean[] = [true];
const NEW: readonly boolean[] = [false];

/** Most commits are one write: two lists are enough for all of them. */
function ofOne(existed: boolean): readonly boolean[] {
  return existed ? EXISTED : NEW;
}

function versionOf({ timestamp, origin }: Version): Version {
  return { timestamp, origin };
}

/** Returns whether there was a live entry; throws when the condition does not hold. */
function checkCondition(entry: Entry | undefined, write: LocalWrite, index: number, nowMs: number): boolean {
  const live = isLive(entry, nowMs) ? entry : undefined;
  const { condition } = write;
  if (condition === undefined) return live !== undefined;
  const current = live === undefined ? undefined : formatVersion(live.winner);
  const holds =
    condition.kind === "absent"
      ? current === undefined
      : condition.kind === "present"
        ? current !== undefined
        : current === formatVersion(condition.version);
  if (holds) return live !== undefined;
  const found = current === undefined ? "the key is absent" : `its version is ${current}`;
  throw new MeshkvError("CONDITION_FAILED", `the condition does not hold on this replica: ${found}`, {
    index: String(index),
    ...(current === undefined ? {} : { version: current }),
  });
}
