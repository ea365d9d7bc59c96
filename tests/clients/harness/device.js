/** A device of somebody: its tokens, kept by the module that docs/clients.md shows. */
import { createSession } from "../snippets/session.js";
import { Locks, MemoryStorage } from "./browser.js";

/**
 * A device on which this person is signed in.
 *
 * @param {import("./people.js").Person} person
 * @param {object} [has]
 * @param {string} [has.accessToken] the token that it has instead of its session's
 * @param {string} [has.url] where it reaches the server
 */
export function deviceOf(person, { accessToken = person.session.accessToken, url = person.server.url } = {}) {
  const storage = new MemoryStorage();
  const locks = new Locks();
  const device = {
    storage,
    /** How often the app was told that somebody has to sign in. */
    signIns: 0,
    /** Another tab of the same browser, which shares storage and locks. */
    tab: () => createSession({ url, storage, locks, signInNeeded: () => { device.signIns += 1; } }),
  };
  device.session = device.tab();
  device.session.save({ ...person.session, accessToken });
  return device;
}
