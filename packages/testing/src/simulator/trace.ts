/** A running hash over everything that happened, so that two runs of one seed can be compared to the byte. */
export class Trace {
  #high = 0x811c9dc5;
  #low = 0x9747b28c;
  #events = 0;
  readonly #print: ((line: string) => void) | undefined;

  /** @param print where each event is told in words; undefined to stay quiet */
  constructor(print?: (line: string) => void) {
    this.#print = print;
  }

  /** Whether somebody reads along: words are made only then. */
  get isPrinted(): boolean {
    return this.#print !== undefined;
  }

  /** Counts an event and takes its number into the hash. */
  event(value: number): void {
    this.#events += 1;
    this.number(value);
  }

  number(value: number): void {
    this.#high = Math.imul(this.#high ^ (value | 0), 0x01000193);
    this.#low = Math.imul(this.#low ^ Math.floor(value / 0x1_0000_0000) ^ this.#high, 0x5bd1e995);
  }

  bytes(bytes: Uint8Array): void {
    let hash = this.#high;
    for (let index = 0; index < bytes.length; index += 1) hash = Math.imul(hash ^ bytes[index]!, 0x01000193);
    this.#high = hash;
    this.#low = Math.imul(this.#low ^ hash, 0x5bd1e995);
  }

  /** Tells what happened; not part of the hash. */
  say(line: () => string): void {
    if (this.#print !== undefined) this.#print(line());
  }

  get events(): number {
    return this.#events;
  }

  /** 16 hex digits. */
  get hash(): string {
    return (this.#high >>> 0).toString(16).padStart(8, "0") + (this.#low >>> 0).toString(16).padStart(8, "0");
  }
}
