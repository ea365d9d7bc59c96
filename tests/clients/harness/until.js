/** Waiting with a limit, which says what it waited for. */
import { setTimeout as sleep } from "node:timers/promises";

const LIMIT_MS = 30_000;
const PAUSE_MS = 10;

/**
 * What `condition` answers as soon as that is true.
 *
 * @template T
 * @param {string} what names it in the error
 * @param {() => T | Promise<T>} condition
 * @param {() => unknown} [state] what to show when it doesn't come
 * @returns {Promise<T>}
 */
export async function until(what, condition, state = () => "", limitMs = LIMIT_MS) {
  const end = Date.now() + limitMs;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms for ${what}: ${JSON.stringify(state())}`);
    await sleep(PAUSE_MS);
  }
}
