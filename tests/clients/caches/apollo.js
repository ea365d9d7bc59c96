/** Apollo's cache, in either version. */
import { applyEvent, cacheOptions } from "../snippets/apollo-cache.js";

export const startApollo = ({ InMemoryCache, gql }, createApollo) => ({ server, device, socket }) => {
  const cache = new InMemoryCache(cacheOptions);
  const client = createApollo({ url: server.url, session: device.session, socket, cache });
  return {
    watch(query, variables) {
      let shown;
      const observable = client.watchQuery({ query: gql(query), variables });
      observable.subscribe({ next: ({ data }) => (shown = data), error: (error) => (shown = { error }) });
      return () => shown;
    },
    subscribe(document, after, seen) {
      const subscription = client.subscribe({ query: gql(document), extensions: { after } }).subscribe({
        next: ({ data }) => {
          applyEvent(client, data.events);
          seen(data.events);
        },
      });
      return () => subscription.unsubscribe();
    },
    stop: () => client.stop(),
  };
};
