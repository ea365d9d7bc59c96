/** What a version of Apollo Client is tried for, with the modules that docs/clients.md shows. */
import assert from "node:assert/strict";
import WebSocket from "ws";
import { deviceOf } from "../harness/device.js";
import { startParlor } from "../harness/parlor.js";
import { signUpAll } from "../harness/people.js";
import { startProxy } from "../harness/proxy.js";
import { postWhileCut, receivedExactly } from "../harness/tunnel.js";
import { until } from "../harness/until.js";
import { createSocket } from "../snippets/socket.js";
import { naiveRefresh } from "./naive-refresh.js";

/**
 * @param {object} version
 * @param version.library `ApolloClient`, `ApolloLink`, `HttpLink`, `InMemoryCache`, `gql`
 * @param version.links `BatchHttpLink`, `createPersistedQueryLink`
 * @param version.createApollo the module of docs/clients.md
 * @param version.naiveLink `(refresh, currentToken) => ApolloLink`: the refresh as most apps write it
 * @param version.errorsOf the GraphQL errors of what the client throws
 */
export async function apolloCases(result, { library, links, createApollo, naiveLink, errorsOf }) {
  const { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } = library;
  const server = await startParlor();
  const proxy = await startProxy(server);
  const [ann, bob, eve] = await signUpAll(server, "ann", "bob", "eve");
  const room = await ann.open(bob);
  const otherRoom = await ann.open(eve);
  const ME = gql`query Me { me { id username } }`;
  const POST = gql`mutation Post($room: ID!, $body: String!, $clientId: ID!) {
    postMessage(roomId: $room, body: $body, clientId: $clientId) { message { id body } }
  }`;
  const MESSAGES = gql`subscription Messages { messagePosted { id body cursor } }`;

  const apolloOf = (context, device, url = server.socketUrl) => {
    const socket = createSocket({ url, session: device.session, webSocketImpl: WebSocket });
    const client = createApollo({ url: server.url, session: device.session, socket, cache: new InMemoryCache() });
    context.after(() => (client.stop(), socket.dispose()));
    return client;
  };
  /** A client whose requests go by this link, with a token that is valid. */
  const by = (link) => {
    const authorize = new ApolloLink((operation, forward) => {
      operation.setContext({ headers: { authorization: `Bearer ${bob.session.accessToken}` } });
      return forward(operation);
    });
    return new ApolloClient({ link: authorize.concat(link), cache: new InMemoryCache() });
  };
  const follow = (client, options) => {
    const seen = { bodies: [], errors: [] };
    client.subscribe({ query: MESSAGES, ...options }).subscribe({
      next: ({ data, error, errors }) =>
        data ? seen.bodies.push(data.messagePosted.body) : seen.errors.push(error ?? errors),
      error: (error) => seen.errors.push(error),
    });
    return seen;
  };
  const fresh = { query: ME, fetchPolicy: "network-only" };

  result.shows("request", "queries and mutations are answered", async (context) => {
    const client = apolloOf(context, deviceOf(bob));
    assert.equal((await client.query(fresh)).data.me.username, "bob");
    const variables = { room, body: "hello", clientId: crypto.randomUUID() };
    assert.equal((await client.mutate({ mutation: POST, variables })).data.postMessage.message.body, "hello");
  });

  for (const [ability, count] of [["subscribe", 2], ["resume", 10]]) {
    result.shows(ability, `${count} subscriptions of a socket that is cut lose and double nothing`, async (context) => {
      const client = apolloOf(context, deviceOf(bob), proxy.socketUrl);
      const after = await bob.syncCursor();
      const seen = Array.from({ length: count }, () => follow(client, { extensions: { after } }));
      const bodies = await postWhileCut({ author: ann, room, proxy, posts: 60, cuts: 5 });
      await receivedExactly(bodies, Object.fromEntries(seen.map((one, number) => [`subscription ${number}`, one.bodies])));
      assert.deepEqual(seen.flatMap(({ errors }) => errors), []);
    });
  }

  result.shows("renew", "20 requests with a token that has expired are answered, in each of two tabs", async (context) => {
    const person = await bob.anotherDevice();
    const device = deviceOf(person, { accessToken: person.expiredToken });
    const tabs = [device.session, device.tab()].map((session) => apolloOf(context, { session }));
    const asked = tabs.flatMap((tab) => Array.from({ length: 20 }, () => tab.query({ ...fresh, context: { queryDeduplication: false } })));
    for (const { data } of await Promise.all(asked)) assert.equal(data.me.username, "bob");
    assert.equal(device.signIns, 0);
  });

  result.shows("renew", "the refresh as most apps write it signs nobody out", async () => {
    await naiveRefresh(bob, (refresh, currentToken) => {
      const link = naiveLink(refresh, currentToken).concat(new HttpLink({ uri: server.url }));
      const client = new ApolloClient({ link, cache: new InMemoryCache() });
      return async () => (await client.query({ ...fresh, context: { queryDeduplication: false } })).data.me.username;
    });
  });

  result.shows("renew", "a session that has ended is an error with its code", async (context) => {
    const person = await bob.anotherDevice();
    await person.ask("mutation { signOut { sessionId } }");
    const device = deviceOf(person);
    await assert.rejects(apolloOf(context, device).query(fresh));
    assert.equal(device.signIns, 1);
  });

  result.shows("errors", "errors have codes", async (context) => {
    const client = apolloOf(context, deviceOf(bob));
    const variables = { room: otherRoom, body: "hi", clientId: "1" };
    await assert.rejects(client.mutate({ mutation: POST, variables }), (error) => errorsOf(error)[0].extensions.code === "NOT_FOUND");
    await assert.rejects(
      client.query({ query: gql`{ nobody }` }),
      (error) => errorsOf(error)[0].extensions.code === "GRAPHQL_VALIDATION_FAILED",
    );
  });

  result.notes("subscriptions by `HttpLink`, too (multipart)", "HttpLink receives subscriptions as multipart", async (context) => {
    const client = by(new HttpLink({ uri: server.url }));
    context.after(() => client.stop());
    const seen = { bodies: [] };
    const subscription = client
      .subscribe({ query: MESSAGES, extensions: { after: await bob.syncCursor() } })
      .subscribe(({ data }) => seen.bodies.push(data.messagePosted.body));
    await ann.post(room, "in parts");
    await until("the message", () => seen.bodies.length > 0);
    subscription.unsubscribe();
    assert.deepEqual(seen.bodies, ["in parts"]);
  });

  result.notes("persisted queries fall back to the text", "createPersistedQueryLink falls back", async () => {
    const sha256 = async (text) => Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(text))).toString("hex");
    for (const useGETForHashedQueries of [false, true]) {
      const client = by(links.createPersistedQueryLink({ sha256, useGETForHashedQueries }).concat(new HttpLink({ uri: server.url })));
      assert.equal((await client.query(fresh)).data.me.username, "bob");
    }
  });

  result.notes(
    "`BatchHttpLink` is refused: use `HttpLink`",
    "BatchHttpLink's refusal says what is wrong",
    async () => {
      const client = by(new links.BatchHttpLink({ uri: server.url }));
      const both = await Promise.allSettled([client.query(fresh), client.query({ ...fresh, query: gql`query Other { me { id } }` })]);
      for (const { reason } of both) assert.match(JSON.stringify([reason.message, reason.result, reason.bodyText, reason]), /batch/i);
    },
  );
}
