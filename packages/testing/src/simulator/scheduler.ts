/** Simulated time: what is to happen next, in order of time and then of asking. A binary heap. */
interface Task {
  readonly atUs: number;
  readonly sequence: number;
  readonly run: () => void;
}

export class Scheduler {
  readonly #heap: Task[] = [];
  #sequence = 0;
  #nowUs = 0;

  /** Microseconds since the simulation began. */
  get nowUs(): number {
    return this.#nowUs;
  }

  /** Runs something later; at once still comes after everything that is due now. */
  after(delayUs: number, run: () => void): void {
    const heap = this.#heap;
    const task = { atUs: this.#nowUs + Math.max(0, delayUs), sequence: this.#sequence, run };
    this.#sequence += 1;
    let index = heap.length;
    heap.push(task);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(task, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = task;
  }

  /** Runs the next task; false when none is left. */
  step(): boolean {
    const task = this.#take();
    if (task === undefined) return false;
    this.#nowUs = task.atUs;
    task.run();
    return true;
  }

  #take(): Task | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      const left = heap[2 * index + 1];
      if (left === undefined) break;
      const right = heap[2 * index + 2];
      const child = right !== undefined && isBefore(right, left) ? right : left;
      if (!isBefore(child, last)) break;
      heap[index] = child;
      index = 2 * index + (child === right ? 2 : 1);
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(a: Task, b: Task): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.sequence < b.sequence);
}
