/** What a version of graphql-ws is tried for, with the modules that docs/clients.md shows. */
import assert from "node:assert/strict";
import WebSocket from "ws";
import { Locks, MemoryStorage } from "../harness/browser.js";
import { startParlor } from "../harness/parlor.js";
import { signUpAll } from "../harness/people.js";
import { until } from "../harness/until.js";
import { createSession } from "../snippets/session.js";
import { createSocket } from "../snippets/socket.js";

export async function socketCases(result, library) {
  const server = await startParlor();
  const [ann, bob] = await signUpAll(server, "ann", "bob");
  const room = await ann.open(bob);

  /** A socket of somebody, on a device of its own; it goes away with the test. */
  const socketOf = (context, person, url = server.socketUrl) => {
    const session = createSession({
      url: server.url,
      signInNeeded: () => assert.fail("nobody has signed out"),
      storage: new MemoryStorage(),
      locks: new Locks(),
    });
    session.save(person.session);
    const socket = createSocket({ url, session, webSocketImpl: WebSocket }, library.createClient);
    context.after(() => socket.dispose());
    return socket;
  };

  result.shows("subscribe", "receives what is posted", async (context) => {
    const socket = socketOf(context, bob);
    const events = [];
    const query = "subscription { events { __typename cursor ... on MessagePosted { message { body } } } }";
    socket.subscribe({ query }, { next: ({ data }) => events.push(data.events), error: assert.fail, complete() {} });
    await until("the beginning", () => events.length === 1, () => events);
    await ann.post(room, "hello");
    await until("the message", () => events.length === 2, () => events);
    assert.deepEqual(events.map((event) => event.message?.body ?? event.__typename), ["Synced", "hello"]);
  });
}
