import type { MessagePartsFragment } from "../gql/graphql";

interface Member {
  /** Null in large rooms, where nobody sees what others have read. */
  lastReadSeq: number | null;
  user: { id: string; displayName: string } | null;
}

/**
 * By the id of a message of the viewer's, who has read it and none of the viewer's later ones. From the members' read
 * marks, so that no list of readers has to be fetched for each message.
 */
export function receipts(
  messages: readonly MessagePartsFragment[],
  members: readonly Member[],
  viewerId: string,
): Map<string, string[]> {
  const own = messages.filter(({ author, deletedAt }) => author?.id === viewerId && deletedAt === null);
  const readers = new Map<string, string[]>();
  for (const { lastReadSeq, user } of members) {
    if (!user || user.id === viewerId || lastReadSeq === null) continue;
    const message = own.findLast(({ seq }) => seq <= lastReadSeq);
    if (message) readers.set(message.id, [...(readers.get(message.id) ?? []), user.displayName]);
  }
  return readers;
}
