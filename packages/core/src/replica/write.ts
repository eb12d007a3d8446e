import type { KeyText } from "../ids.ts";

/** One write of a client: a put, or a delete when `value` is undefined. */
export interface Write {
  /** 1 to KEY_BYTES_MAX bytes; the caller's to check. */
  readonly key: KeyText;
  /** Undefined for a delete. */
  readonly value: Uint8Array | undefined;
  /** Unix milliseconds; 0 means never. */
  readonly expiresAtMs: number;
}
