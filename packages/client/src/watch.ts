/** Following changes, as callers see it. */
import type { Entry, KeyInfo } from "./entry.ts";
import type { Key } from "./key.ts";

/**
 * What to follow: a key, or everything under a prefix; everything in the view when neither is given.
 *
 * @example
 * ```ts
 * import { connect, type WatchOptions } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const options: WatchOptions = { key: "config", initial: true, signal: AbortSignal.timeout(60_000) };
 * for await (const event of kv.watch(options)) if (event.type === "synced") break;
 * ```
 */
export type WatchOptions = {
  /** First the current state, as `put` events, and then changes. */
  readonly initial?: boolean | undefined;
  /** Includes what each change replaced. */
  readonly previous?: boolean | undefined;
  /** Goes on after the last event of an earlier watch: its `resumeToken`. */
  readonly resume?: string | undefined;
  /** Ends the watch, without an error. */
  readonly signal?: AbortSignal | undefined;
} & (
  | { readonly key?: undefined; readonly prefix?: Key | undefined }
  | { readonly key: Key; readonly prefix?: undefined }
);

/**
 * What every change tells.
 *
 * @inline
 */
interface Change {
  /**
   * What to give to `resume` to go on after this event, to be kept together with what came of it; undefined while
   * more belongs together, such as the rest of a batch.
   */
  readonly resume: string | undefined;
}

/**
 * One change. `put`: a key has a new value. `delete`: it was deleted. `expire`: its time is over; told again after a resume,
 * perhaps. `conflict`: a concurrent write lost against `winner`. `synced`, once: what was there when the watch began has been
 * told, and what follows is live. A watcher that falls behind gets the latest state of each key; states in between may be
 * left out. Versions of one key only rise.
 *
 * @example
 * ```ts
 * import { connect, type WatchEvent } from "@meshkv/client";
 * const show = (event: WatchEvent<unknown>) => (event.type === "put" ? event.value : event.type);
 * await using kv = await connect("127.0.0.1:4000");
 * for await (const event of kv.watch({ prefix: "cart/", initial: true })) {
 *   console.log(show(event));
 *   if (event.type === "synced") break;
 * }
 * ```
 */
export type WatchEvent<V> =
  | (Change &
      Entry<V> & {
        readonly type: "put";
        /** What was there before, when `previous` was asked for. */
        readonly previous: Entry<V> | undefined;
      })
  | (Change &
      KeyInfo & {
        readonly type: "delete" | "expire";
        /** What was there before, when `previous` was asked for. */
        readonly previous: Entry<V> | undefined;
      })
  | (Change & {
      readonly type: "conflict";
      /** The key as text, without the prefix of the view. */
      readonly key: string;
      /** The key as it is, without the prefix of the view. */
      readonly keyBytes: Uint8Array;
      /** That of the write that lost. */
      readonly version: string;
      /** The id of the replica that took the write that lost. */
      readonly origin: string;
      /** Its version; it has no value when it is a delete. */
      readonly winner: KeyInfo & { readonly value: V | undefined };
      /** It has no value when it is a delete. */
      readonly loser: KeyInfo & { readonly value: V | undefined };
    })
  | (Change & { readonly type: "synced" });

/**
 * Changes, as they come. Read it with `for await`, once; leaving the loop ends it. What is not read is not fetched.
 *
 * @example
 * ```ts
 * import { connect, type Watch } from "@meshkv/client";
 * await using kv = await connect("127.0.0.1:4000");
 * const watch: Watch<unknown> = kv.watch({ prefix: "cart/" });
 * for await (const event of watch) if (event.type === "synced") break;
 * // Later, and in another process if need be: nothing is missed in between.
 * const next = kv.watch({ prefix: "cart/", resume: watch.resumeToken });
 * await next.close();
 * ```
 */
export interface Watch<V> extends AsyncIterable<WatchEvent<V>>, AsyncDisposable {
  /** Where a later watch goes on: after the last event that was read, or some events before it. Undefined until one was read. */
  readonly resumeToken: string | undefined;
  /** Ends the watch; a loop over it ends without an error. */
  close(): Promise<void>;
}
