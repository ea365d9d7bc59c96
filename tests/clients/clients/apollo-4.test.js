import * as library from "@apollo/client";
import { BatchHttpLink } from "@apollo/client/link/batch-http";
import { SetContextLink } from "@apollo/client/link/context";
import { ErrorLink } from "@apollo/client/link/error";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { from, switchMap } from "rxjs";
import { row, versionOf } from "../harness/results.js";
import { createApollo } from "../snippets/apollo.js";
import { apolloCases } from "./apollo-cases.js";

const { CombinedGraphQLErrors } = library;
const result = row({
  order: 20,
  client: "@apollo/client",
  version: versionOf("@apollo/client"),
  transport: "HTTP; WebSocket by graphql-ws",
  lines: ["session.js", "resuming.js", "socket.js", "apollo.js"],
});
await apolloCases(result, {
  library,
  links: { BatchHttpLink, createPersistedQueryLink: (options) => new PersistedQueryLink(options) },
  createApollo,
  naiveLink: (refresh, currentToken) =>
    new ErrorLink(({ error, operation, forward }) => {
      if (!CombinedGraphQLErrors.is(error) || error.errors[0].extensions?.code !== "UNAUTHENTICATED") return;
      return from(refresh()).pipe(switchMap(() => forward(operation)));
    }).concat(new SetContextLink(() => ({ headers: { authorization: `Bearer ${currentToken()}` } }))),
  errorsOf: (error) => error.errors ?? [],
});
