import { useEffect, useRef, useState } from "react";
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
  const { lastReadSeq, unreadFromSeq } = room.viewer;
  // What was marked as unread while the conversation is open stays so until it is opened again, or answered.
  const [before, setBefore] = useState(unreadFromSeq);
  const [isHeld, setIsHeld] = useState(false);
  if (unreadFromSeq !== before) {
    setBefore(unreadFromSeq);
    setIsHeld(unreadFromSeq !== null);
  }
  const isLooking = isReading && isAtEnd && !isHeld;
  useEffect(() => (isLooking ? lookedAt.look(room.id) : undefined), [isLooking, lookedAt, room.id]);
  const isDue = isLooking && isLive && (newestSeq > lastReadSeq || unreadFromSeq !== null);
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
