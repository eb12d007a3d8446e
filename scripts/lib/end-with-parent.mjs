/**
 * npm runs a script through a shell, and that shell dies of the SIGTERM which npm hands it without passing it on: the
 * server would go on, an orphan. So this process asks itself to end when its parent has gone, unless it has been asked
 * already (Ctrl-C reaches the whole process group, and a second signal means "at once").
 */

const POLL_MS = 200;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

export function endWithParent() {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, "SIGTERM");
  }, POLL_MS);
  timer.unref();
  for (const signal of SIGNALS) {
    process.once(signal, () => {
      clearInterval(timer);
      // Nobody else listens yet: what the signal does by default.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
  }
}
