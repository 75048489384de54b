// Waiting for tasks: the service is asked to hold its answer until the task has ended.

import { api } from "./client.js";
import { session } from "./session.js";

const WAIT_SECONDS = 20;
const FIRST_PAUSE_MS = 60;
const LONGEST_PAUSE_MS = 1000;

/** Return the promise of a pause of `ms` milliseconds, which ends early, with an error, when `signal` is aborted. */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

/** Tell the service that nobody waits for a task any more, if the key may do that. */
export function cancelTask(taskId) {
  // A failure is of no interest: the task has ended meanwhile, or ends unread.
  if (session.account.role === "admin") api.delete(`tasks/${taskId}`).catch(() => {});
}

/** Return the task once it has ended; until then, `seen` is called with the pending task each time it is looked at. */
export async function endedTask(taskId, { signal, seen } = {}) {
  for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(wait * 1.5, LONGEST_PAUSE_MS)) {
    const task = await api.get(`tasks/${taskId}`, { signal, headers: { Prefer: `wait=${WAIT_SECONDS}` } });
    if (task.status !== "pending") return task;
    seen?.(task);
    await pause(wait, signal);
  }
}
