/** Does to the servers what the plan says, each fault on its own, beside others that go on. */
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { copyData, engineFiles, flipBit } from "../processes/data-files.ts";
import { eventually } from "../processes/eventually.ts";
import { type Cluster, READY_MS_MAX, type Subject } from "./cluster.ts";
import { type FaultKind, type PlannedFault, type PlannedRound, RARE_KINDS } from "./plan.ts";

const TURN_MS = 50;
const BALLAST_STEP_BYTES = 4 * 1024 * 1024;

/** Carries out the rounds of a plan. */
export class Nemesis {
  readonly #cluster: Cluster;
  readonly #tell: (line: string) => void;
  /** How often each kind was done. */
  readonly counts = new Map<FaultKind, number>();
  /** The server whose directory was replaced or damaged in this round; to be cleared before the next. */
  destroyed: Subject | undefined;
  #isLinked = true;
  readonly #onApart: (one: Subject, isApart: () => boolean) => Promise<void>;

  /** @param onApart called when a server has been cut off from all others; `isApart`: it still is, and was all the time */
  constructor(
    cluster: Cluster,
    tell: (line: string) => void,
    onApart: (one: Subject, isApart: () => boolean) => Promise<void>,
  ) {
    this.#cluster = cluster;
    this.#tell = tell;
    this.#onApart = onApart;
  }

  /** Runs a round; resolves when its time is over and every fault has ended. Rejects when a server does not come back. */
  async run({ faults, lengthMs }: PlannedRound): Promise<void> {
    const startMs = performance.now();
    const underWay: Promise<void>[] = [];
    for (const fault of faults) {
      await sleep(Math.max(0, startMs + fault.atMs - performance.now()));
      const begun = this.#begin(fault);
      // Told at the end of the round; meanwhile it is not to end the process.
      begun.catch(() => undefined);
      underWay.push(begun);
    }
    await sleep(Math.max(0, startMs + lengthMs - performance.now()));
    const results = await Promise.allSettled(underWay);
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  async #begin(fault: PlannedFault): Promise<void> {
    const subject = this.#cluster.subjects[fault.server];
    if (subject === undefined) return;
    const { kind } = fault;
    if (kind === "partition" || kind === "slow") await this.#disturb(fault, subject);
    else if (kind === "clock") {
      this.#note(fault, subject);
      await subject.setClock(fault.amount);
      await sleep(fault.lastsMs);
      await subject.setClock(0);
    } else if (kind === "full-disk") await this.#fillDisk(fault);
    else if (kind === "roll") await this.#roll(fault, subject);
    else await this.#harm(fault, subject);
  }

  /** Harms the links, and heals them; one after the other. */
  async #disturb(fault: PlannedFault, subject: Subject): Promise<void> {
    while (!this.#isLinked) await sleep(TURN_MS);
    this.#isLinked = false;
    this.#note(fault, subject);
    this.#harmLinks(fault, subject);
    let isApart = fault.kind === "partition" && fault.shape === "isolated";
    const meanwhile = isApart ? this.#onApart(subject, () => isApart) : undefined;
    await sleep(fault.lastsMs);
    isApart = false;
    this.#cluster.network.heal();
    this.#isLinked = true;
    await meanwhile;
  }

  #note({ kind, lastsMs, amount, shape }: PlannedFault, { name }: Subject): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const what = kind === "partition" ? shape : String(amount);
    this.#tell(`${kind} ${name} ${what} for ${lastsMs} ms`);
  }

  #harmLinks({ kind, shape, amount }: PlannedFault, { place, process }: Subject): void {
    const { network, subjects } = this.#cluster;
    const count = subjects.length + 1;
    if (kind === "slow") network.slow(process.port, amount);
    else if (shape === "isolated") network.isolate(process.port);
    else if (shape === "mute") {
      for (const other of subjects) if (other.place !== place) network.mute(process.port, other.process.port);
    } else if (shape === "halves") network.shape((a, b) => a % 2 === b % 2);
    else if (shape === "bridge") network.shape((a, b) => a === place || b === place || a % 2 === b % 2);
    else if (shape === "ring") network.shape((a, b) => b - a === 1 || (a === 0 && b === count - 1));
    else network.shape((a, b) => b - a === 1);
  }

  async #fillDisk(fault: PlannedFault): Promise<void> {
    const { disk, subjects } = this.#cluster;
    const subject = disk && subjects[disk.place];
    if (disk === undefined || subject === undefined || subject.isBusy) return;
    subject.isBusy = true;
    this.#note(fault, subject);
    const ballast = join(disk.directory, "ballast");
    try {
      const step = new Uint8Array(BALLAST_STEP_BYTES);
      for (;;) await writeFile(ballast, step, { flag: "a" });
    } catch {
      // The disk is full, which was the aim.
    }
    await sleep(fault.lastsMs);
    await rm(ballast, { force: true });
    subject.isBusy = false;
  }

  /** One after the other is stopped in order and started again. */
  async #roll(fault: PlannedFault, first: Subject): Promise<void> {
    this.#note(fault, first);
    for (const subject of this.#cluster.subjects) {
      if (subject.isBusy) continue;
      subject.isBusy = true;
      await subject.stop();
      await subject.start();
      subject.isBusy = false;
    }
  }

  async #harm(fault: PlannedFault, subject: Subject): Promise<void> {
    // What comes once in a round waits for its turn; there are kills and pauses enough.
    while (subject.isBusy && RARE_KINDS.includes(fault.kind)) await sleep(TURN_MS);
    if (subject.isBusy) {
      const other = this.#cluster.subjects.find(({ isBusy }) => !isBusy);
      return other === undefined ? undefined : this.#harm(fault, other);
    }
    subject.isBusy = true;
    this.#note(fault, subject);
    switch (fault.kind) {
      case "kill":
        await subject.kill();
        await sleep(fault.lastsMs);
        await subject.start();
        break;
      case "pause":
        subject.process.signal("SIGSTOP");
        await sleep(fault.lastsMs);
        subject.process.signal("SIGCONT");
        break;
      case "join":
        await this.#welcome(fault);
        break;
      case "clone":
        await subject.kill();
        await copyData(subject.process.data, this.#cluster.guest.process.data);
        await subject.start();
        await this.#welcome(fault);
        break;
      case "flip":
        await this.#flip(fault, subject);
        break;
      case "restore":
        await this.#restore(fault, subject);
        break;
      default:
        throw new Error(`${fault.kind} is no fault of one server`);
    }
    subject.isBusy = false;
  }

  /** The guest comes, with whatever is in its directory, and stays for the rest of the round. */
  async #welcome({ lastsMs }: PlannedFault): Promise<void> {
    const { guest } = this.#cluster;
    await guest.start();
    await sleep(lastsMs);
  }

  async #flip({ amount }: PlannedFault, subject: Subject): Promise<void> {
    const { process } = subject;
    const { replicaId } = await eventually(`${subject.name} answers`, () => process.client.status());
    subject.isBlind = true;
    subject.epoch += 1;
    this.destroyed = subject;
    await subject.kill();
    const files = [
      ...(await engineFiles(process.data, ".ldb")),
      ...(await engineFiles(process.data, ".log")),
    ];
    const name = files[amount % files.length] ?? "";
    this.#tell(`flipped ${await flipBit(process.data, name, amount / 1000)}`);
    const logged = process.log.length;
    await subject.start();
    // A bit in the filler of a file, or in a file that is no longer in use, damages nothing.
    const isDamaged = process.log.slice(logged).includes("damage found");
    if (isDamaged) {
      await eventually(
        `${subject.name} has a new identity`,
        async () => {
          const status = await process.client.status();
          if (status.replicaId === replicaId) throw new Error(`still ${replicaId}: ${status.stateReason}`);
        },
        READY_MS_MAX,
      );
    }
    subject.epoch += 1;
    subject.isBlind = false;
  }

  async #restore({ lastsMs }: PlannedFault, subject: Subject): Promise<void> {
    const { process } = subject;
    const backup = join(this.#cluster.folder, "backup");
    await subject.kill();
    await copyData(process.data, backup);
    await subject.start();
    await sleep(lastsMs);
    subject.isBlind = true;
    subject.epoch += 1;
    this.destroyed = subject;
    await subject.kill();
    if (this.#cluster.disk?.place === subject.place) await copyData(backup, process.data);
    else {
      await rm(process.data, { recursive: true });
      await rename(backup, process.data);
    }
    subject.epoch += 1;
    subject.isBlind = false;
    await subject.start();
  }
}
