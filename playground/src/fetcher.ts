import type { Fetcher, FetcherParams, Observable } from "@graphiql/toolkit";
import { type ExecutionResult, type FormattedExecutionResult, getOperationAST } from "graphql";
import { createClient, type SubscribePayload } from "graphql-ws";

/** Where the API is: the page is served at the same address. */
const API = "/graphql";

type Headers = Record<string, string>;
type Sink = { next(result: ExecutionResult): void; error(problem: unknown): void; complete(): void };

/** Sends operations to the server that the page came from: subscriptions by WebSocket, all others by HTTP. */
export const fetcher: Fetcher = (parameters, options) => {
  const headers: Headers = options?.headers ?? {};
  const operation = options?.documentAST && getOperationAST(options.documentAST, parameters.operationName);
  return operation?.operation === "subscription" ? subscribe(parameters, headers) : post(parameters, headers);
};

async function post(parameters: FetcherParams, headers: Headers): Promise<ExecutionResult> {
  const accept = "application/graphql-response+json, application/json;q=0.9";
  const response = await fetch(API, {
    method: "POST",
    headers: { "content-type": "application/json", accept, ...headers },
    body: JSON.stringify(parameters),
  });
  const text = await response.text();
  try {
    return JSON.parse(text) as ExecutionResult;
  } catch {
    // Not Parlor's answer, but that of something in front of it.
    throw { message: `${response.status} ${response.statusText}`.trim(), body: text.slice(0, 1_000) };
  }
}

/** Each subscription has a socket of its own, which is opened with the headers as they are now. */
function subscribe(parameters: FetcherParams, headers: Headers): Observable<ExecutionResult> {
  // GraphiQL always calls it with an object.
  const follow = ({ next, error, complete }: Sink) => {
    const url = new URL(API, window.location.href);
    url.protocol = url.protocol.replace("http", "ws");
    // Nobody who is trying something should take a subscription that began anew for one that missed nothing.
    const client = createClient({ url: url.href, connectionParams: headers, retryAttempts: 0 });
    const sink = {
      next: (result: FormattedExecutionResult) => next(result as ExecutionResult),
      error: (problem: unknown) => error(explain(problem)),
      complete,
    };
    return { unsubscribe: client.subscribe(parameters as SubscribePayload, sink) };
  };
  return { subscribe: follow as Observable<ExecutionResult>["subscribe"] };
}

/** What GraphiQL shows as an error: GraphQL errors as they are, a closed socket in words. */
function explain(problem: unknown): unknown {
  if (problem instanceof CloseEvent) {
    const { code, reason } = problem;
    return { message: `The socket was closed with ${code}${reason && `, ${reason}`}. ${REASONS[code] ?? ""}`.trim() };
  }
  // The trace of an error says nothing here.
  return problem instanceof Error ? { message: problem.message } : problem;
}

const REASONS: Record<number, string> = {
  1006: "The server can't be reached, or the connection was cut.",
  1012: "The server stops: run the subscription again.",
  1013: "Run the subscription again later.",
  4403: 'It takes a valid token under "Headers": { "Authorization": "Bearer …" }. SignUp and signIn answer one.',
};
