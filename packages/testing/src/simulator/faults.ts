/** What goes wrong in a world, and what operators do to it. */
import type { Machine } from "./machine.ts";
import type { FaultKind } from "./parameters.ts";
import type { DiskImage } from "./disk.ts";
import type { Holdings } from "./oracle/holdings.ts";
import type { World } from "./world.ts";

interface Backup {
  readonly machine: Machine;
  readonly image: DiskImage;
  readonly held: ReadonlyMap<number, Holdings>;
}

export class Faults {
  readonly #world: World;
  readonly #backups: Backup[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** Draws one fault and lets it happen. */
  act(): void {
    const { random, parameters } = this.#world;
    const weights = Object.entries(parameters.faultWeights) as [FaultKind, number][];
    let left = random.float() * weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [kind, weight] of weights) {
      left -= weight;
      if (left >= 0) continue;
      if (this.#happen(kind)) this.#world.count(kind);
      return;
    }
  }

  #live(): Machine[] {
    return this.#world.machines.filter(({ shell }) => shell !== undefined);
  }

  #happen(kind: FaultKind): boolean {
    switch (kind) {
      case "kill":
      case "power":
        return this.#crash(kind === "power");
      case "cut":
      case "stall":
        return this.#disturb(kind);
      case "part-one-way":
      case "part-pair":
        return this.#partPair(kind === "part-pair");
      case "isolate":
        return this.#isolate();
      case "bridge":
        return this.#bridge();
      case "heal":
        this.#world.network.heal();
        return true;
      case "image":
        return this.#backUp();
      case "restore":
        return this.#restore();
      case "clone":
        return this.#clone();
      case "clock-step":
        return this.#stepClock();
      case "remove":
        return this.#remove();
      case "gone":
        return this.#lose();
      case "join":
        return this.#join();
      case "wipe":
        return this.#wipe();
      case "fsync-fails":
        return this.#failDisk();
      case "disk-full":
        return this.#fillDisk();
    }
  }

  #crash(isSilent: boolean): boolean {
    const { random } = this.#world;
    const live = this.#live();
    if (live.length === 0) return false;
    const machine = random.pick(live);
    machine.shell?.crash(isSilent);
    this.#startLater(machine);
    return true;
  }

  /** After any failed batch the handle takes no more writes; it is closed and opened again (rule W2). */
  #failDisk(): boolean {
    const { random, scheduler } = this.#world;
    const live = this.#live();
    if (live.length === 0) return false;
    const machine = random.pick(live);
    const { shell } = machine;
    shell?.failDisk();
    scheduler.after(random.logarithmic(1000, 2_000_000), () => {
      if (machine.shell !== shell || shell === undefined) return;
      shell.crash(false);
      this.#startLater(machine);
    });
    return true;
  }

  /** Below the floor of free space clients' writes are refused, and nothing is taken off links; the rest goes on. */
  #fillDisk(): boolean {
    const { random, scheduler, network, machines } = this.#world;
    const machine = random.pick(machines);
    const forUs = random.logarithmic(10_000, 3_000_000);
    machine.fullUntilUs = scheduler.nowUs + forUs;
    network.hold(machine, forUs);
    return true;
  }

  #startLater(machine: Machine): void {
    const { random, scheduler } = this.#world;
    scheduler.after(random.logarithmic(10_000, 3_000_000), () => this.#world.start(machine));
  }

  #disturb(kind: "cut" | "stall"): boolean {
    const { random, network } = this.#world;
    const { directions } = network;
    if (directions.length === 0) return false;
    const direction = random.pick(directions);
    if (kind === "cut") network.cut(direction, random.chance(0.3));
    else network.stall(direction, random.logarithmic(10_000, 3_000_000));
    return true;
  }

  #partPair(both: boolean): boolean {
    const { random, network, machines } = this.#world;
    const [a, b] = random.shuffle(machines);
    if (a === undefined || b === undefined) return false;
    network.part(a.address, b.address);
    if (both) network.part(b.address, a.address);
    return true;
  }

  #isolate(): boolean {
    const { random, network, machines } = this.#world;
    const alone = random.pick(machines);
    for (const other of machines) {
      if (other === alone) continue;
      network.part(alone.address, other.address);
      network.part(other.address, alone.address);
    }
    return true;
  }

  /** Two halves that only one machine reaches both. */
  #bridge(): boolean {
    const { random, network, machines } = this.#world;
    if (machines.length < 3) return false;
    const [, ...others] = random.shuffle(machines);
    const half = Math.floor(others.length / 2);
    for (const a of others.slice(0, half)) {
      for (const b of others.slice(half)) {
        network.part(a.address, b.address);
        network.part(b.address, a.address);
      }
    }
    return true;
  }

  #backUp(): boolean {
    const { random, observer } = this.#world;
    const live = this.#live();
    if (live.length === 0) return false;
    const machine = random.pick(live);
    // A copy of a directory is taken as a crash would leave it.
    this.#backups.push({ machine, image: machine.disk.image(), held: observer.imageOf(machine) });
    return true;
  }

  #restore(): boolean {
    const { random, observer } = this.#world;
    if (this.#backups.length === 0) return false;
    const { machine, image, held } = random.pick(this.#backups);
    if (machine.isGone) return false;
    machine.shell?.crash(random.chance(0.5));
    machine.disk.restore(image);
    observer.restored(machine, held);
    this.#startLater(machine);
    return true;
  }

  /** A second machine starts on a copy of a directory. */
  #clone(): boolean {
    const { random, machines, observer } = this.#world;
    if (machines.length >= 8) return false;
    const live = this.#live();
    if (live.length === 0) return false;
    const from = random.pick(live);
    const machine = this.#world.addMachine();
    machine.disk.restore(from.disk.image());
    observer.restored(machine, observer.imageOf(from));
    this.#world.start(machine);
    return true;
  }

  #stepClock(): boolean {
    const { random, machines } = this.#world;
    const machine = random.pick(machines);
    const range = random.chance(0.3) ? 3_600_000 : 30_000;
    machine.offsetMs = random.between(-range, range);
    return true;
  }

  #remove(): boolean {
    const { random } = this.#world;
    const live = this.#live();
    if (live.length < 2) return false;
    const { shell } = random.pick(live);
    if (shell === undefined) return false;
    const { replica } = shell.host.active;
    const others = replica.members.current().filter((member) => member !== replica.id);
    if (others.length === 0) return false;
    shell.removeMember(random.pick(others), random.chance(0.7));
    return true;
  }

  /** A machine that never comes back; somebody removes it later. */
  #lose(): boolean {
    const { random, machines } = this.#world;
    // Everybody was told the first address: without it a late comer would find nobody.
    const left = machines.filter(({ isGone, index }) => !isGone && index > 0);
    if (left.length < 2) return false;
    const machine = random.pick(left);
    machine.shell?.crash(true);
    machine.isGone = true;
    return true;
  }

  #join(): boolean {
    const { machines } = this.#world;
    if (machines.length >= 8) return false;
    this.#world.start(this.#world.addMachine());
    return true;
  }

  /** A machine loses its disk and starts with an empty one. */
  #wipe(): boolean {
    const { random, observer } = this.#world;
    const live = this.#live();
    if (live.length < 2) return false;
    const machine = random.pick(live);
    machine.shell?.crash(true);
    machine.disk.restore({ current: 0, generations: new Map() });
    observer.wiped(machine);
    this.#startLater(machine);
    return true;
  }
}
