import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { ErrorLink } from "@apollo/client/link/error";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";
import { from, switchMap } from "rxjs";

/** `socket` is what `createSocket` answers, `session` what `createSession` does. */
export function createApollo({ url, session, socket, cache }) {
  const renew = new ErrorLink(({ error, operation, forward }) => {
    const { rejected, token } = operation.getContext();
    const isRefused = CombinedGraphQLErrors.is(error) && error.errors[0].extensions?.code === "UNAUTHENTICATED";
    if (!isRefused || rejected) return;
    operation.setContext({ rejected: token });
    return from(session.accessToken(token)).pipe(switchMap(() => forward(operation)));
  });
  const authorize = new SetContextLink(async ({ headers, rejected }) => {
    const token = await session.accessToken(rejected);
    return { token, headers: { ...headers, authorization: `Bearer ${token}` } };
  });
  const link = ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(socket),
    ApolloLink.from([renew, authorize, new HttpLink({ uri: url })]),
  );
  return new ApolloClient({ link, cache });
}
