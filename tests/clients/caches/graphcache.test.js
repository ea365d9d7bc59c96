import { buildSchema, introspectionFromSchema } from "graphql";
import { readFileSync } from "node:fs";
import { row, versionOf } from "../harness/results.js";
import { createCache } from "../snippets/graphcache.js";
import { createUrql } from "../snippets/urql.js";
import { cacheCases } from "./cases.js";

const schema = introspectionFromSchema(buildSchema(readFileSync(new URL("../../../schema.graphql", import.meta.url), "utf8")));

const result = row({
  order: 31,
  client: "@urql/exchange-graphcache",
  version: versionOf("@urql/exchange-graphcache"),
  transport: "a cache of the client above",
  lines: ["events.js", "graphcache.js"],
});
await cacheCases(result, ({ server, device, socket }) => {
  const watched = new Map();
  const refetch = () => {
    for (const [query, variables] of watched) client.query(query, variables, { requestPolicy: "network-only" }).toPromise();
  };
  const cache = createCache({ schema, refetch });
  const client = createUrql({ url: server.url, session: device.session, socket, cache });
  const subscriptions = [];
  return {
    watch(query, variables) {
      let shown;
      watched.set(query, variables);
      subscriptions.push(client.query(query, variables).subscribe(({ data, error }) => (shown = error ?? data)));
      return () => shown;
    },
    subscribe(document, after, seen) {
      const subscription = client.subscription(document, {}, { after }).subscribe(({ data }) => data && seen(data.events));
      return () => subscription.unsubscribe();
    },
    stop: () => subscriptions.forEach((subscription) => subscription.unsubscribe()),
  };
});
