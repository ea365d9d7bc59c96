import { ApolloClient, ApolloLink, fromPromise, HttpLink } from "@apollo/client-3/core/index.js";
import { setContext } from "@apollo/client-3/link/context/index.js";
import { onError } from "@apollo/client-3/link/error/index.js";
import { GraphQLWsLink } from "@apollo/client-3/link/subscriptions/index.js";
import { getMainDefinition } from "@apollo/client-3/utilities/index.js";

/** `socket` is what `createSocket` answers, `session` what `createSession` does. */
export function createApollo({ url, session, socket, cache }) {
  const renew = onError(({ graphQLErrors, operation, forward }) => {
    const { rejected, token } = operation.getContext();
    if (graphQLErrors?.[0].extensions?.code !== "UNAUTHENTICATED" || rejected) return;
    operation.setContext({ rejected: token });
    return fromPromise(session.accessToken(token)).flatMap(() => forward(operation));
  });
  const authorize = setContext(async (_, { headers, rejected }) => {
    const token = await session.accessToken(rejected);
    return { token, headers: { ...headers, authorization: `Bearer ${token}` } };
  });
  const link = ApolloLink.split(
    ({ query }) => getMainDefinition(query).operation === "subscription",
    new GraphQLWsLink(socket),
    ApolloLink.from([renew, authorize, new HttpLink({ uri: url })]),
  );
  return new ApolloClient({ link, cache });
}
