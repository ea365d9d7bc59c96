/** Posting while connections are cut: what nobody may lose or receive twice. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "./until.js";

/** With more posts in one room, one who was away would be told of a gap. */
const MOST_POSTS = 90;

/**
 * Posts so many messages while the proxy's connections are cut up to so many times, each at a random byte of what the
 * server sends. Answers the bodies, in order.
 */
export async function postWhileCut({ author, room, proxy, posts = 60, cuts = 8 }) {
  const run = Math.random().toString(36).slice(2);
  const bodies = [];
  const first = proxy.cuts;
  for (let number = 0; number < posts || (proxy.cuts - first < cuts && number < MOST_POSTS); number += 1) {
    if (proxy.cuts - first < cuts) proxy.cutSoon();
    const body = `${run} ${number}`;
    await author.post(room, body);
    bodies.push(body);
    // At the pace of a lively room, so that some are posted while nobody is connected and some while somebody is.
    await sleep(10 + 60 * Math.random());
  }
  const cut = proxy.cuts - first;
  assert.ok(cut > 1, `only ${cut} cuts in ${bodies.length} posts`);
  return bodies;
}

/** Every receiver has these bodies, in order, once each. `receivers`: name → the bodies that came. */
export async function receivedExactly(expected, receivers) {
  const all = Object.entries(receivers);
  const missing = () => all.map(([name, bodies]) => [name, expected.length - bodies.length]).filter(([, count]) => count > 0);
  await until("all messages", () => missing().length === 0, missing);
  // What comes twice comes soon after.
  await sleep(300);
  for (const [name, bodies] of all) assert.deepEqual(bodies, expected, name);
}
