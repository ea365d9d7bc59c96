import { useCallback } from "react";
import { useClient } from "urql";
import { FreshLinksDocument } from "../gql/graphql";

/** Asks for a message's files again: links are good for an hour or two. What shows them is given the new ones by the cache. */
export function useFreshLinks(messageId: string) {
  const client = useClient();
  return useCallback(async () => {
    const { data } = await client
      .query(FreshLinksDocument, { messageId }, { requestPolicy: "network-only" })
      .toPromise();
    return data?.node && "attachments" in data.node ? data.node.attachments : undefined;
  }, [client, messageId]);
}
