/** Who asks for a reply. */
export interface Puller<Reply> {
  take(reply: Reply): void;
  fail(error: unknown): void;
}

/**
 * Replies that can also be had without a promise for each: an event for thousands of watchers is thousands of replies. They
 * end by failing only.
 */
export interface PulledReplies<Reply> extends AsyncIterableIterator<Reply, void> {
  /** The next reply. Who asks is told once, perhaps at once. */
  pull(puller: Puller<Reply>): void;
  return(): Promise<IteratorResult<Reply, void>>;
}

/** Whether replies can be pulled. */
export function isPulled(replies: AsyncIterator<unknown>): replies is PulledReplies<unknown> {
  return "pull" in replies;
}
