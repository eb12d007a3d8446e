/** Ranges of keys. Key texts have one character per byte, so their order is the order of bytes. */
import type { KeyText } from "@meshkv/core";

/** A part of the key space: `start` inclusive, `end` exclusive, undefined for the ends of the space. */
export interface KeyRange {
  readonly start: KeyText | undefined;
  readonly end: KeyText | undefined;
}

/** The least key that is greater than every key with the prefix; undefined when there is none. */
export function prefixEnd(prefix: KeyText): KeyText | undefined {
  let length = prefix.length;
  while (length > 0 && prefix.charCodeAt(length - 1) === 0xff) length -= 1;
  if (length === 0) return undefined;
  return (prefix.slice(0, length - 1) + String.fromCharCode(prefix.charCodeAt(length - 1) + 1)) as KeyText;
}

/** The least key that is greater than the key. */
function keyAfter(key: KeyText): KeyText {
  return `${key}\0` as KeyText;
}

/** The range of the keys with a prefix. */
export function prefixRange(prefix: KeyText): KeyRange {
  return { start: prefix === "" ? undefined : prefix, end: prefixEnd(prefix) };
}

/** What two ranges have in common. */
export function intersect(a: KeyRange, b: KeyRange): KeyRange {
  const start = a.start === undefined || (b.start !== undefined && b.start > a.start) ? b.start : a.start;
  const end = a.end === undefined || (b.end !== undefined && b.end < a.end) ? b.end : a.end;
  return { start, end };
}

/** Whether no key lies in the range. */
export function isEmptyRange({ start, end }: KeyRange): boolean {
  return end !== undefined && (end === "" || (start !== undefined && start >= end));
}

/** What is left of a range after a page that ended with the key. */
export function rangeAfter(range: KeyRange, last: KeyText, reverse: boolean): KeyRange {
  return intersect(
    range,
    reverse ? { start: undefined, end: last } : { start: keyAfter(last), end: undefined },
  );
}
