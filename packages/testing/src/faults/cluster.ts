/** The servers of a run, what is known of each, and a place for one more that comes and goes. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePorts } from "../processes/free-ports.ts";
import { Network } from "../processes/network.ts";
import { steeredClock } from "../processes/offset-clock.ts";
import { ServerProcess } from "../processes/server-process.ts";
import { mountSmallDisk, whyNoSmallDisk } from "../processes/small-disk.ts";

/** Twice what a server keeps, since one that rejoins in its place has two copies for a while. */
const DISK_MEBIBYTES = 512;
/** Less than a replica keeps by default, which would fill the small disk for good. */
const HISTORY = "1h,40MiB";
/** Only what never happens takes this long, however busy the machine is. */
export const READY_MS_MAX = 240_000;
/** The server that has a small disk of its own, where there can be one. */
const DISK_SERVER = 1;

/** A server and what the run knows of it. */
export class Subject {
  readonly process: ServerProcess;
  readonly place: number;
  readonly clockFile: string;
  /** Goes up when the directory is replaced or damaged. */
  epoch = 0;
  /** Damage has been done and not been mended yet: what it shows is not held against it. */
  isBlind = false;
  /** A fault has the server in its hands. */
  isBusy = false;
  /** It should run; that it does not is a violation. */
  isUp = false;
  /** Clients may call it. */
  isOpen = false;
  /** The run is over: whatever a fault that was under way still wants, it does not start again. */
  isOver = false;

  constructor(process: ServerProcess, place: number, clockFile: string) {
    this.process = process;
    this.place = place;
    this.clockFile = clockFile;
  }

  get name(): string {
    return this.process.name;
  }

  /** Starts it and waits until it serves. */
  async start(): Promise<void> {
    if (this.isOver) throw new Error("the run is over");
    this.isUp = true;
    this.process.launch();
    await this.process.ready(READY_MS_MAX);
    this.isOpen = true;
  }

  /** Ends it as `kill -9` does. */
  async kill(): Promise<void> {
    this.isUp = false;
    await this.process.kill();
    this.isOpen = false;
  }

  /** Removes its directory; it must not run. */
  async wipe(): Promise<void> {
    await rm(this.process.data, { recursive: true, force: true });
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    this.isUp = false;
    await this.process.stop();
    this.isOpen = false;
  }

  /** Moves its wall clock; 0 is right. */
  async setClock(offsetMs: number): Promise<void> {
    await writeFile(this.clockFile, String(offsetMs));
  }
}

/** Everything that a run has running. */
export class Cluster {
  readonly folder: string;
  readonly subjects: readonly Subject[];
  /** One more, which joins, or is a clone of another. */
  readonly guest: Subject;
  readonly network: Network;
  /** The directory of a small disk, and whose it is. */
  readonly disk: { readonly directory: string; readonly place: number } | undefined;
  readonly #cleanups: (() => Promise<void>)[];

  private constructor(parts: {
    readonly folder: string;
    readonly subjects: readonly Subject[];
    readonly guest: Subject;
    readonly network: Network;
    readonly disk: string | undefined;
    readonly cleanups: (() => Promise<void>)[];
  }) {
    this.folder = parts.folder;
    this.subjects = parts.subjects;
    this.guest = parts.guest;
    this.network = parts.network;
    this.disk = parts.disk === undefined ? undefined : { directory: parts.disk, place: DISK_SERVER };
    this.#cleanups = parts.cleanups;
  }

  /** Makes the servers of a run; none runs yet. */
  static async make(folder: string, count: number): Promise<Cluster> {
    const ports = await freePorts(count + 1);
    const network = await Network.between(ports);
    const cleanups: (() => Promise<void>)[] = [];
    const disk =
      whyNoSmallDisk() === undefined
        ? await mountSmallDisk({ folder, atEnd: (cleanup) => cleanups.push(cleanup) }, DISK_MEBIBYTES)
        : undefined;
    const make = (place: number, name: string): Subject => {
      const port = ports[place] ?? 0;
      const clockFile = join(folder, `${name}.clock`);
      const server = new ServerProcess({
        name,
        port,
        folder,
        peers: ports.slice(0, count).filter((other) => other !== port),
        args: ["-v", "--history", HISTORY],
        environment: steeredClock(network.environmentOf(port), clockFile),
      });
      if (disk !== undefined && place === DISK_SERVER) server.data = join(disk, "data");
      return new Subject(server, place, clockFile);
    };
    const subjects = Array.from({ length: count }, (_, place) =>
      make(place, String.fromCharCode(97 + place)),
    );
    return new Cluster({ folder, subjects, guest: make(count, "guest"), network, disk, cleanups });
  }

  /** Servers that clients may call. */
  get open(): readonly Subject[] {
    return [...this.subjects, this.guest].filter(({ isOpen }) => isOpen);
  }

  /** Servers that should run and do not. */
  get fallen(): readonly Subject[] {
    return [...this.subjects, this.guest].filter(({ isUp, process }) => isUp && !process.isRunning);
  }

  /** Ends all processes and links; the files stay. */
  async close(): Promise<void> {
    const all = [...this.subjects, this.guest];
    for (const subject of all) subject.isOver = true;
    await Promise.all(all.map(({ process }) => process.close()));
    await this.network.close();
  }

  /** Removes all files; to be called after `close`. */
  async remove(): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
    await rm(this.folder, { recursive: true, force: true });
  }
}
