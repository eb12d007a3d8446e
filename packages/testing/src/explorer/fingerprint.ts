/** A hash over everything that a machine remembers, private fields included: equal for machines that go on alike. */
import { Hash } from "./hash.ts";

/** What differs from path to path and decides nothing. */
const IGNORED = new Set(["private_nextScan", "watches", "private_environment", "private_config", "events"]);
/** Functions that belong to their object for life. */
const BUILT_IN = new Set(["private_close", "private_random", "private_trueMs", "onDurable", "private_event"]);

/**
 * The fingerprint of a graph of objects.
 * @returns `isOpen` when something waits in a closure, whose variables no hash can see
 */
export function fingerprint(root: object): { readonly hex: string; readonly isOpen: boolean } {
  const hash = new Hash();
  const seen = new Map<object, number>();
  let isOpen = false;
  const visit = (value: unknown): Hash => {
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
      return hash;
    }
    const isGroup = value.constructor.name === "ChangeSet";
    const fields = value as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(fields)) {
      if (IGNORED.has(name) || (isGroup && name === "number")) continue;
      const field = fields[name];
      if (typeof field === "function") {
        if (!BUILT_IN.has(name)) isOpen = true;
        continue;
      }
      hash.number(name.length);
      visit(field);
    }
    return hash;
  };
  visit(root);
  return { hex: hash.hex, isOpen };
}
