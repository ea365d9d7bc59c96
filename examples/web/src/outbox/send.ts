import type { Client } from "@urql/core";
import { PostMessageDocument } from "../gql/graphql";
import { failureOf, isPassing } from "../graphql/failure";
import type { Outcome, Unsent } from "./outbox";

/** Posts a message by urql, which puts it into the cache when the server has confirmed it. */
export async function send(client: Client, { roomId, body, clientId }: Unsent): Promise<Outcome> {
  const { error } = await client.mutation(PostMessageDocument, { roomId, body, clientId }).toPromise();
  if (!error) return "sent";
  const failure = failureOf(error);
  return isPassing(failure) ? { againAfterMs: failure.retryAfterMs } : { failed: failure };
}
