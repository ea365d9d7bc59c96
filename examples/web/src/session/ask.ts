import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { stringifyDocument } from "@urql/core";

/** An error that the API answered: the first entry of `errors`. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly code: string | undefined;
  /** The argument that is at fault. */
  readonly field: string | undefined;
  /** Why it is forbidden, where that is told. */
  readonly reason: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, extensions: Extensions = {}) {
    super(message);
    this.code = extensions.code;
    this.field = extensions.field;
    this.reason = extensions.reason;
    this.retryAfterMs = extensions.retryAfterMs;
  }
}

export interface Extensions {
  code?: string;
  field?: string;
  reason?: string;
  retryAfterMs?: number;
}

export type Ask = <Data, Variables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  accessToken?: string,
) => Promise<Data>;

/** A request without a cache: for signing up, signing in and renewing tokens. */
export function createAsk(url: string, fetcher: typeof fetch = fetch): Ask {
  return async (document, variables, accessToken) => {
    const authorization = accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` };
    const response = await fetcher(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/graphql-response+json",
        ...authorization,
      },
      body: JSON.stringify({ query: stringifyDocument(document), variables }),
      signal: AbortSignal.timeout(20_000),
    });
    const answer = (await response.json()) as {
      data?: unknown;
      errors?: { message: string; extensions?: Extensions }[];
    };
    const error = answer.errors?.[0];
    if (error) throw new ApiError(error.message, error.extensions);
    return answer.data as never;
  };
}
