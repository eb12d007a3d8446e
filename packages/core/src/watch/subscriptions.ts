/** Finds who watches a key, without asking everybody. */
import type { KeyText } from "../ids.ts";
import type { WatchTarget } from "./watch-event.ts";

/** Watchers by what they watch. */
export class Subscriptions<Watcher> {
  readonly #keys = new Map<KeyText, Set<Watcher>>();
  readonly #prefixes = new Map<KeyText, Set<Watcher>>();
  /** How many prefixes there are of each length. */
  readonly #lengths = new Map<number, number>();

  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#prefixes.size === 0;
  }

  add({ kind, text }: WatchTarget, watcher: Watcher): void {
    const groups = kind === "key" ? this.#keys : this.#prefixes;
    const group = groups.get(text);
    if (group !== undefined) return void group.add(watcher);
    groups.set(text, new Set([watcher]));
    if (kind === "prefix") this.#lengths.set(text.length, (this.#lengths.get(text.length) ?? 0) + 1);
  }

  remove({ kind, text }: WatchTarget, watcher: Watcher): void {
    const groups = kind === "key" ? this.#keys : this.#prefixes;
    const group = groups.get(text);
    if (group?.delete(watcher) !== true || group.size > 0) return;
    groups.delete(text);
    if (kind === "key") return;
    const count = (this.#lengths.get(text.length) ?? 1) - 1;
    if (count > 0) this.#lengths.set(text.length, count);
    else this.#lengths.delete(text.length);
  }

  /** Visits everybody who watches the key; whoever is visited may be removed meanwhile. */
  visit(key: KeyText, visit: (watcher: Watcher) => void): void {
    this.#keys.get(key)?.forEach(visit);
    for (const length of this.#lengths.keys()) {
      if (length <= key.length) this.#prefixes.get(key.slice(0, length) as KeyText)?.forEach(visit);
    }
  }

  clear(): void {
    this.#keys.clear();
    this.#prefixes.clear();
    this.#lengths.clear();
  }
}
