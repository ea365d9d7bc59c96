import * as library from "@apollo/client-3/core/index.js";
import { BatchHttpLink } from "@apollo/client-3/link/batch-http/index.js";
import { setContext } from "@apollo/client-3/link/context/index.js";
import { onError } from "@apollo/client-3/link/error/index.js";
import { createPersistedQueryLink } from "@apollo/client-3/link/persisted-queries/index.js";
import { row, versionOf } from "../harness/results.js";
import { createApollo } from "../snippets/apollo-3.js";
import { apolloCases } from "./apollo-cases.js";

const result = row({
  order: 21,
  client: "@apollo/client",
  version: versionOf("@apollo/client-3"),
  transport: "HTTP; WebSocket by graphql-ws",
  lines: ["session.js", "resuming.js", "socket.js", "apollo-3.js"],
});
await apolloCases(result, {
  library,
  links: { BatchHttpLink, createPersistedQueryLink },
  createApollo,
  naiveLink: (refresh, currentToken) =>
    onError(({ graphQLErrors, operation, forward }) => {
      if (graphQLErrors?.[0].extensions?.code !== "UNAUTHENTICATED") return;
      return library.fromPromise(refresh()).flatMap(() => forward(operation));
    }).concat(setContext(() => ({ headers: { authorization: `Bearer ${currentToken()}` } }))),
  errorsOf: (error) => error.graphQLErrors?.length ? error.graphQLErrors : (error.networkError?.result?.errors ?? []),
});
