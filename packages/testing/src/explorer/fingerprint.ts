/** A hash over everything that a machine remembers, private fields included: equal for machines that go on alike. */

/** What differs from path to path and decides nothing. */
const IGNORED = new Set(["private_nextScan", "watches", "private_environment", "private_config", "events"]);
/** Functions that belong to their object for life. */
const BUILT_IN = new Set(["private_close", "private_random", "private_trueMs", "onDurable", "private_event"]);

/** Two running 32-bit hashes. */
class Hash {
  high = 0x811c9dc5;
  low = 0x9747b28c;

  number(value: number): void {
    this.high = Math.imul(this.high ^ (value | 0), 0x01000193);
    this.low = Math.imul((this.low ^ Math.floor(value / 0x1_0000_0000) ^ this.high) + 0x5bd1e995, 0x5bd1e995);
    this.low ^= this.low >>> 15;
  }

  text(value: string): void {
    for (let index = 0; index < value.length; index += 1) this.number(value.charCodeAt(index));
    this.number(value.length);
  }

  get hex(): string {
    return (this.high >>> 0).toString(16).padStart(8, "0") + (this.low >>> 0).toString(16).padStart(8, "0");
  }
}

/** 16 hex digits of a text. */
export function hashText(text: string): string {
  const hash = new Hash();
  hash.text(text);
  return hash.hex;
}

/**
 * The fingerprint of a graph of objects.
 * @returns `isOpen` when something waits in a closure, whose variables no hash can see
 */
export function fingerprint(root: object): { readonly hex: string; readonly isOpen: boolean } {
  const hash = new Hash();
  const seen = new Map<object, number>();
  let isOpen = false;
  const visit = (value: unknown): void => {
    if (typeof value === "number") return hash.number(value);
    if (typeof value === "string") return hash.text(value);
    if (typeof value === "boolean") return hash.number(value ? 1 : 2);
    if (typeof value !== "object" || value === null) return hash.number(3);
    const known = seen.get(value);
    if (known !== undefined) return hash.number(known);
    seen.set(value, seen.size);
    if (ArrayBuffer.isView(value)) {
      const words = value.byteLength >> 2;
      const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
      for (let index = 0; index < words; index += 1) hash.number(view.getUint32(index * 4));
      for (let index = words * 4; index < value.byteLength; index += 1) hash.number(view.getUint8(index));
      return hash.number(value.byteLength);
    }
    if ("checksum" in value && "bytes" in value && "timestamp" in value && "origin" in value) {
      hash.number(Number(value.checksum));
      hash.number(Number(value.timestamp));
      return hash.text(String(value.origin));
    }
    if (value instanceof Map || value instanceof Set || Array.isArray(value)) {
      hash.number(value instanceof Map ? 5 : 6);
      for (const item of value) {
        if (typeof item === "function") isOpen = true;
        visit(item);
      }
      return;
    }
    const isGroup = value.constructor.name === "ChangeSet";
    for (const [name, field] of Object.entries(value)) {
      if (IGNORED.has(name) || (isGroup && name === "number")) continue;
      if (typeof field === "function") {
        if (!BUILT_IN.has(name)) isOpen = true;
        continue;
      }
      hash.number(name.length);
      visit(field);
    }
  };
  visit(root);
  return { hex: hash.hex, isOpen };
}
