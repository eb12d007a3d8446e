/** Watches a world and judges it against the definitions of the replication rules, with code of its own. */
import {
  type ChangeSet,
  type Entry,
  type KeyText,
  type PeerMessage,
  type ReplicaId,
  type Start,
  type StartId,
  timestampFromMs,
  UNKNOWN_START,
  type VersionVector,
  type Write,
  type WriteRecord,
} from "@meshkv/core";
import type { DiskOperation } from "../disk.ts";
import type { Machine } from "../machine.ts";
import type { Observer } from "../observer.ts";
import type { WorldParameters } from "../parameters.ts";
import { describeRecord, type Shell } from "../shell.ts";
import type { Trace } from "../trace.ts";
import { Violation } from "../violation.ts";
import { checkEnd, whyNotSettled } from "./at-rest.ts";
import { Batches } from "./batches.ts";
import { checkEqual } from "./equality.ts";
import { Holdings, isSuperseded } from "./holdings.ts";
import { checkKey } from "./key-check.ts";
import { NumberSet } from "./number-set.ts";
import { type Issued, Registry } from "./registry.ts";
import { type ProgressView, readSections } from "./sections.ts";
import { markRetired } from "./retired.ts";
import { checkSuccession } from "./succession-check.ts";

function isPart({ checksum }: WriteRecord, { winner, siblings }: Entry): boolean {
  return winner.checksum === checksum || siblings.some((sibling) => sibling.checksum === checksum);
}

/** What the oracle keeps of a machine. */
export interface Ledger {
  readonly generations: Map<number, Holdings>;
  /** The generation that serves. */
  serving: number;
}

export class Oracle implements Observer {
  readonly registry = new Registry();
  readonly #batches = new Batches();
  #hasLostDisks = false;
  readonly ledgers = new Map<Machine, Ledger>();
  /** Groups of a successor that was given up in the turn that made them: nobody hears of what they say. */
  readonly #orphans = new WeakSet<ChangeSet>();
  readonly #parameters: WorldParameters;
  readonly #trace: Trace;
  readonly #machines: readonly Machine[];

  constructor(parameters: WorldParameters, trace: Trace, machines: readonly Machine[]) {
    this.#parameters = parameters;
    this.#trace = trace;
    this.#machines = machines;
  }

  ledger(machine: Machine): Ledger {
    let ledger = this.ledgers.get(machine);
    if (ledger === undefined) {
      ledger = { generations: new Map(), serving: machine.disk.current };
      this.ledgers.set(machine, ledger);
    }
    return ledger;
  }

  holdings(machine: Machine, generation: number): Holdings {
    const { generations } = this.ledger(machine);
    let holdings = generations.get(generation);
    if (holdings === undefined) {
      holdings = new Holdings();
      generations.set(generation, holdings);
    }
    return holdings;
  }

  /** What the serving generation of a machine holds. */
  current(machine: Machine): Holdings {
    return this.holdings(machine, machine.disk.current);
  }

  /**
   * Whether the disk of a machine has the write, or one whose author had seen it; a successor that is about to serve has
   * a generation of its own there.
   */
  holds(machine: Machine, record: WriteRecord): boolean {
    const issued = this.registry.get(record);
    return [...this.ledger(machine).generations.values()].some((held) => {
      const known = held.keys.get(record.key);
      return known !== undefined && (known.writes.has(issued.number) || isSuperseded(issued, known));
    });
  }

  /** A copy of what a directory holds, to go with an image of it. */
  imageOf(machine: Machine): ReadonlyMap<number, Holdings> {
    return new Map(Array.from(this.ledger(machine).generations, ([number, held]) => [number, held.clone()]));
  }

  /** The directory of a machine was replaced by an image. */
  restored(machine: Machine, image: ReadonlyMap<number, Holdings>): void {
    this.#replaceSource(machine);
    const ledger = this.ledger(machine);
    this.registry.allowsForks = true;
    this.#hasLostDisks = true;
    ledger.generations.clear();
    ledger.serving = machine.disk.current;
    for (const [number, held] of image) ledger.generations.set(number, held.clone());
  }

  /** The directory of a machine is empty. */
  wiped(machine: Machine): void {
    this.#replaceSource(machine);
    this.ledgers.delete(machine);
    this.#hasLostDisks = true;
  }

  /** What was copied from a directory stays true when the directory is replaced. */
  #replaceSource(machine: Machine): void {
    const before = this.holdings(machine, this.ledger(machine).serving);
    for (const [{ shell }, { generations }] of this.ledgers) {
      const isLetIn = shell?.host.rejoin !== undefined && shell.host.rejoin.phase !== "asking";
      for (const [number, held] of generations) {
        // Who has copied nothing yet, and waits for nothing that it copied to become durable, begins afresh.
        const hasCopied = held.all().size > 0 || (isLetIn && number === shell.host.successor?.generation);
        if (held.source === machine && hasCopied) held.sourceHeld ??= before;
      }
    }
  }

  started(shell: Shell): void {
    const { disk } = shell.machine;
    const { generations } = this.ledger(shell.machine);
    for (const number of generations.keys()) if (!disk.generations.has(number)) generations.delete(number);
  }

  event(shell: Shell, name: string, details: Readonly<Record<string, string | number>>): void {
    if (name !== "rejoining") return;
    const generation = shell.host.successor?.generation;
    const source = this.#machines.find(({ address }) => address === details["through"]);
    if (generation === undefined) return;
    const { generations } = this.ledger(shell.machine);
    const holdings = new Holdings();
    holdings.source = source;
    generations.set(generation, holdings);
  }

  /** Every write makes a record, deletes of unknown keys too (rule W3). */
  wrote(shell: Shell, writes: readonly Write[], records: readonly WriteRecord[]): void {
    const isWhole =
      records.length === writes.length &&
      records.every(({ key, isDelete }, index) => {
        const write = writes[index];
        return write?.key === key && isDelete === (write.value === undefined);
      });
    if (!isWhole) throw new Violation("always-written", `${shell.machine.address} made no record of a write`);
    this.#batches.add(records);
  }

  toldEarly(records: readonly WriteRecord[]): void {
    for (const record of records) this.registry.tell(record);
  }

  /** What peers are told is durable here (rule S7). */
  sent({ machine }: Shell, message: PeerMessage): void {
    if (message.kind !== "frame" && message.kind !== "hello") return;
    const held = [...this.ledger(machine).generations.values()];
    for (const [origin, { timestamp }] of message.vector.entries()) {
      if (held.some(({ vector }) => vector?.covers(origin, timestamp) === true)) continue;
      throw new Violation(
        "always-durable-first",
        `${machine.address} tells ${origin}@${timestamp}, which is not durable there`,
      );
    }
  }

  /** Registers what the group issues, with what its author has accepted by then. */
  committed(shell: Shell, generation: number, group: ChangeSet): void {
    const { host, machine } = shell;
    const slot = host.active.generation === generation ? host.active : host.successor;
    if (slot === undefined || slot.generation !== generation) {
      this.#orphans.add(group);
      return;
    }
    const held = this.holdings(machine, generation);
    const keptSince = timestampFromMs(machine.wallMs() - this.#parameters.conflictRetentionMs);
    for (const { before, after } of group.entries.values())
      markRetired(before, after, Math.min(keptSince, slot.replica.horizon), (r) => this.registry.find(r));
    const earlier = new Map<KeyText, Issued[]>();
    for (const record of group.records) {
      let issued = this.registry.find(record);
      if (issued === undefined || (record.origin === slot.replica.id && !issued.isDurable)) {
        if (record.origin !== slot.replica.id)
          throw new Violation("always-honest", `foreign ${describeRecord(record)}`);
        const before = earlier.get(record.key) ?? [];
        issued = this.registry.issue(record, slot.replica.start.id, this.#seen(held, record, before));
      } else if (record.origin === slot.replica.id && !issued.starts.includes(slot.replica.start.id)) {
        const before = earlier.get(record.key) ?? [];
        this.registry.issueAgain(issued, slot.replica.start.id, this.#seen(held, record, before));
      }
      const before = earlier.get(record.key);
      if (before === undefined) earlier.set(record.key, [issued]);
      else before.push(issued);
    }
  }

  #seen(held: Holdings, record: WriteRecord, before: readonly Issued[]): NumberSet {
    const known = held.keys.get(record.key);
    const seen = known?.writes.clone() ?? new NumberSet();
    // Seen is transitive: who has a record knows what its author knew.
    if (known !== undefined) seen.addAll(known.covered);
    for (const issued of before) {
      seen.add(issued.number);
      seen.addAll(issued.seen);
    }
    if (record.adopted !== undefined) return seen;
    for (const other of [known?.best, ...before]) {
      if (other !== undefined && other.record.timestamp >= record.timestamp) {
        throw new Violation(
          "always-newer",
          `${describeRecord(record)} after ${describeRecord(other.record)}`,
        );
      }
    }
    return seen;
  }

  durable(machine: Machine, operation: DiskOperation): void {
    if (operation.kind === "switch") this.#switched(machine, operation.generation);
    if (operation.kind === "discard") this.ledger(machine).generations.delete(operation.generation);
    if (operation.kind !== "commit" || this.#orphans.has(operation.group)) return;
    const held = this.holdings(machine, operation.generation);
    const { group } = operation;
    held.lastWallMs = Math.max(held.lastWallMs, machine.wallMs());
    const tables = machine.disk.tables(operation.generation);
    const state = group.sections.size === 0 ? undefined : readSections(tables.sections);
    if (state !== undefined) held.identity = state.identity;
    const touched = new Set<KeyText>();
    for (const record of group.records) {
      const issued = this.registry.get(record);
      if (record.origin === held.identity?.replicaId) this.#nowDurable(issued, held);
      this.#accept(machine, held, issued);
      touched.add(record.key);
    }
    if (group.entries.size > 0) held.entriesState = {};
    for (const [key, { before: earlier, after }] of group.entries) {
      touched.add(key);
      if (after === undefined) {
        if (earlier !== undefined) this.#forgot([earlier.winner, ...earlier.siblings]);
        continue;
      }
      if (earlier !== undefined && earlier.siblings.length > 0) {
        const horizon = state?.progress.horizon ?? held.horizon;
        this.#forgot(
          earlier.siblings.filter((s) => s.isDelete && s.timestamp <= horizon && !isPart(s, after)),
        );
      }
      for (const record of [after.winner, ...after.siblings])
        this.#accept(machine, held, this.registry.get(record));
    }
    const before = held.progress;
    if (state !== undefined) this.#moved(machine, held, before, state.progress, touched);
    for (const { origin, timestamp } of group.cuts) {
      if (timestamp > held.floor(origin))
        throw new Violation("always-contiguous", `${origin} is cut at ${timestamp}`);
    }
    if (held.source === undefined || held.hasInherited) {
      const { conflictRetentionMs } = this.#parameters;
      for (const key of touched) {
        const entry = tables.entries.get(key);
        checkKey(machine, held, key, entry, conflictRetentionMs, this.registry.allowsForks);
      }
    }
    if (state !== undefined && operation.generation === machine.disk.current) this.#compare(machine, held);
  }

  #forgot(records: readonly WriteRecord[]): void {
    for (const record of records) this.registry.forget(record);
  }

  /** A version is durable at its origin: from now on others may have it, and before nobody may have claimed it. */
  #nowDurable(issued: Issued, held: Holdings): void {
    if (issued.isDurable) return;
    issued.isDurable = true;
    const { origin, timestamp } = issued.record;
    for (const { generations } of this.ledgers.values()) {
      for (const other of generations.values()) {
        if (other === held || !this.#claims(other, issued)) continue;
        throw new Violation(
          "always-durable-first",
          `${origin}@${timestamp} was claimed elsewhere before it was durable`,
        );
      }
    }
  }

  /** Whether a replica's vector says that it has the record, on the branch of the origin's life that it follows. */
  #claims(held: Holdings, issued: Issued): boolean {
    const { origin, timestamp } = issued.record;
    const position = held.vector?.position(origin);
    if (position === undefined || position.timestamp < timestamp) return false;
    if (!this.registry.allowsForks) return true;
    const starts = this.#branches.get(position.start) ?? [];
    const index = starts.findIndex(({ id }) => issued.starts.includes(id));
    const end = starts[index + 1]?.recovered ?? position.timestamp;
    return index >= 0 && timestamp <= end;
  }

  readonly #branches = new Map<StartId, readonly Start[]>();

  #accept(machine: Machine, held: Holdings, issued: Issued): void {
    const replaced = held.accept(issued);
    if (replaced === undefined || replaced.original === issued.original) return;
    // What a raised write wins over is stated again in the same group: the key is judged when that is durable.
    if (replaced.seen.has(issued.number) && issued.record.adopted?.raised !== true) {
      throw new Violation(
        "always-gone",
        `${machine.address}: ${describeRecord(issued.record)} beats ${describeRecord(replaced.record)}, whose author had seen it`,
      );
    }
    const { adopted } = issued.record;
    if (
      adopted === undefined ||
      replaced.record.isDelete ||
      replaced.record.expiresAtMs > 0 ||
      !replaced.isDurable
    )
      return;
    const rank = replaced.record.adopted?.rank ?? replaced.record.timestamp;
    if (rank > issued.original.record.timestamp && replaced.record.adopted?.raised !== true) {
      throw new Violation(
        "always-honest-adoption",
        `${machine.address}: ${describeRecord(issued.record)} beats ${describeRecord(replaced.record)}`,
      );
    }
  }

  /** Vector, horizon and floors moved: none of them back, and the claim is true. */
  #moved(
    machine: Machine,
    held: Holdings,
    before: ProgressView | undefined,
    after: ProgressView,
    touched: Set<KeyText>,
  ): void {
    const starts = held.identity?.starts ?? [];
    for (const [index, { id }] of starts.entries()) {
      if (!this.#branches.has(id)) this.#branches.set(id, starts.slice(0, index + 1));
    }
    held.progress = after;
    if (after.horizon < (before?.horizon ?? 0))
      throw new Violation("always-monotone", `${machine.address}: horizon`);
    for (const [origin, floor] of before?.floors ?? []) {
      if (held.floor(origin) < floor)
        throw new Violation("always-monotone", `${machine.address}: floor of ${origin}`);
    }
    // Of a source that had forgotten nothing everything came over logs; later its directory may be another one.
    if (held.source !== undefined && !held.hasInherited && after.vector.size > 0) {
      this.#inherit(held, held.sourceHeld ?? this.current(held.source), touched);
    }
    for (const [origin, { timestamp }] of before?.vector.entries() ?? []) {
      if (after.vector.get(origin) < timestamp)
        throw new Violation("always-monotone", `${machine.address}: V[${origin}]`);
    }
    for (const [origin, { timestamp }] of after.vector.entries()) {
      const from = before?.vector.get(origin) ?? 0;
      if (timestamp <= from) continue;
      this.#checkCoverage(machine, held, origin, from, timestamp);
      if (this.current(machine) === held) this.#checkBatches(machine, origin, timestamp);
    }
  }

  /** A vector never rests inside a batch (rule W6). */
  #checkBatches(machine: Machine, origin: ReplicaId, timestamp: number): void {
    if (this.registry.allowsForks) return;
    const batch = this.#batches.cutBy(origin, timestamp);
    // What was lost before anybody could see it never was.
    if (batch?.every((record) => this.registry.find(record)?.isDurable === true) !== true) return;
    throw new Violation(
      "always-whole-batches",
      `${machine.address} rests at ${origin}@${timestamp}, inside a batch`,
    );
  }

  #inherit(held: Holdings, source: Holdings, touched: Set<KeyText>): void {
    held.hasInherited = true;
    // What the source no longer kept by its clock, it could not hand on.
    held.lastWallMs = Math.max(held.lastWallMs, source.lastWallMs);
    for (const issued of source.all()) {
      if (issued.record.timestamp > held.floor(issued.record.origin)) continue;
      held.accept(issued);
    }
    for (const key of held.keys.keys()) touched.add(key);
  }

  /** A successor serves from now on: it must have all that its predecessor had and had not forgotten. */
  #switched(machine: Machine, generation: number): void {
    const ledger = this.ledger(machine);
    const [before, after] = [this.holdings(machine, ledger.serving), this.holdings(machine, generation)];
    const { conflictRetentionMs } = this.#parameters;
    checkSuccession(machine, ledger.serving, before, after, conflictRetentionMs, this.registry);
    ledger.serving = generation;
  }

  #checkCoverage(machine: Machine, held: Holdings, origin: ReplicaId, after: number, upTo: number): void {
    for (const issued of this.registry.between(origin, after, upTo)) {
      if (!issued.isDurable || held.has(issued) || !this.#claims(held, issued)) continue;
      throw new Violation(
        "always-covered",
        `${machine.address} claims ${origin} up to ${upTo} without ${describeRecord(issued.record)}`,
      );
    }
  }

  #compare(machine: Machine, held: Holdings): void {
    if (held.vector === undefined || held.vector.size === 0) return;
    for (const other of this.#machines) {
      if (other === machine || other.isGone) continue;
      const theirs = this.current(other);
      if (theirs.vector === undefined || !this.#isSameVector(held.vector, theirs.vector)) continue;
      // What was compared and has not changed since need not be compared again.
      if (held.equalTo === theirs.entriesState && theirs.equalTo === held.entriesState) continue;
      checkEqual(machine, other);
      [held.equalTo, theirs.equalTo] = [theirs.entriesState, held.entriesState];
    }
  }

  /** Whether two vectors say the same; where directories were copied, of the same branches of every origin's life. */
  #isSameVector(a: VersionVector, b: VersionVector): boolean {
    if (!a.equals(b)) return false;
    if (!this.registry.allowsForks) return true;
    for (const [origin, { start }] of a.entries()) {
      if (start === UNKNOWN_START || b.position(origin).start !== start) return false;
    }
    return true;
  }

  acknowledged(shell: Shell, records: readonly WriteRecord[]): void {
    for (const record of records) {
      const issued = this.registry.get(record);
      issued.isAcknowledged = true;
      if (!issued.isDurable) {
        throw new Violation(
          "always-durable",
          `${shell.machine.address} acknowledged ${describeRecord(record)}`,
        );
      }
    }
  }

  afterEvent(_shell: Shell): void {}

  /** Why the world is not at rest; undefined when it is. */
  whyNotSettled(): string | undefined {
    const left = this.#machines.filter(({ isGone }) => !isGone);
    const hasLostDisks = left.length < this.#machines.length || this.#hasLostDisks;
    return whyNotSettled(left, hasLostDisks);
  }

  /** Judges a world at rest. */
  checkEnd(): void {
    checkEnd(
      this,
      this.#machines.filter(({ isGone }) => !isGone),
    );
    this.#trace.number(this.registry.size);
  }
}
