import type { Client } from "@urql/core";
import { PostMessageDocument } from "../gql/graphql";
import { failureOf, isPassing } from "../graphql/failure";
import type { Outcome, Unsent } from "./outbox";

/** Posts a message by urql, which puts it into the cache when the server has confirmed it. */
export async function send(client: Client, unsent: Unsent): Promise<Outcome> {
  const { roomId, body, clientId, replyToId, mentions, mentionsRoom, attachments } = unsent;
  const variables = {
    roomId,
    body,
    clientId,
    replyToId: replyToId ?? null,
    mentions: mentions ? [...mentions] : null,
    mentionsRoom: mentionsRoom ?? false,
    attachmentIds: attachments?.map(({ id }) => id) ?? null,
  };
  const { error } = await client.mutation(PostMessageDocument, variables).toPromise();
  if (!error) return "sent";
  const failure = failureOf(error);
  return isPassing(failure) ? { againAfterMs: failure.retryAfterMs } : { failed: failure };
}
