import { useEffect, useRef } from "react";
import { useClient } from "urql";
import { useChat, useConnectionState } from "../app/chat-context";
import { useReading } from "../app/useReading";
import { MarkReadDocument, type RoomPartsFragment } from "../gql/graphql";

/** What flies past isn't read. */
const READ_MS = 300;

/** Marks the newest message as read once somebody has looked at it. */
export function useMarkRead(room: RoomPartsFragment, newestSeq: number, isAtEnd: boolean) {
  const client = useClient();
  const isReading = useReading();
  const isLive = useConnectionState() === "live";
  const marked = useRef(0);
  const { lookedAt } = useChat();
  useEffect(
    () => (isReading && isAtEnd ? lookedAt.look(room.id) : undefined),
    [isReading, isAtEnd, lookedAt, room.id],
  );
  const isDue = isReading && isAtEnd && isLive && newestSeq > room.viewer.lastReadSeq;
  useEffect(() => {
    if (!isDue || newestSeq <= marked.current) return;
    const timer = setTimeout(() => {
      marked.current = newestSeq;
      void client
        .mutation(MarkReadDocument, { roomId: room.id, seq: newestSeq })
        .toPromise()
        .then(({ error }) => {
          if (error) marked.current = 0; // The next reason to mark tries again.
        });
    }, READ_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [client, isDue, newestSeq, room.id]);
}
