/** Refreshing as most apps write it: one refresh at a time in a tab, and no lock between tabs. */
import assert from "node:assert/strict";
import { deviceOf } from "../harness/device.js";
import { request } from "../harness/people.js";

const REFRESH = "mutation ($token: String!) { refreshSession(refreshToken: $token) { accessToken refreshToken } }";
const PARALLEL = 20;
const NIGHTS = 3;

/**
 * Two tabs that share their storage each ask 20 times at the moment of expiry, and nobody is signed out.
 *
 * @param {import("../harness/people.js").Person} user
 * @param {(refresh: () => Promise<string>, currentToken: () => string) => (() => Promise<string>)} tab makes a tab, whose
 *   answer asks for the viewer's name
 */
export async function naiveRefresh(user, tab) {
  const person = await user.anotherDevice();
  const { storage } = deviceOf(person);
  const read = () => JSON.parse(storage.getItem("parlor-session"));
  const write = (session) => storage.setItem("parlor-session", JSON.stringify(session));
  let refreshes = 0;
  let expired;
  const exchange = async () => {
    refreshes += 1;
    const answer = await request(person.server.url, { query: REFRESH, variables: { token: read().refreshToken } });
    assert.equal(answer.errors, undefined, `refresh ${refreshes} was refused`);
    write(answer.data.refreshSession);
    return answer.data.refreshSession.accessToken;
  };
  const tabs = [1, 2].map(() => {
    let running = null;
    const refresh = () => {
      // Refused late, after the token was renewed.
      if (!running && read().accessToken !== expired) return Promise.resolve(read().accessToken);
      running ??= exchange().finally(() => (running = null));
      return running;
    };
    return tab(refresh, () => read().accessToken);
  });
  for (let night = 1; night <= NIGHTS; night += 1) {
    expired = person.expiredToken;
    write({ ...read(), accessToken: expired });
    const names = await Promise.all(tabs.flatMap((ask) => Array.from({ length: PARALLEL }, () => ask())));
    assert.deepEqual(new Set(names), new Set([user.session.user.username]), `night ${night}`);
  }
}
