import { useEffect, useMemo, useRef, useState } from "react";
import { useChat, useTypists, useUnsent } from "../app/chat-context";
import type { ConversationQuery } from "../gql/graphql";
import { Announcer } from "./Announcer";
import { Composer } from "./Composer";
import { ConversationHeader } from "./ConversationHeader";
import { MessageList } from "./MessageList";
import { receipts } from "./receipts";
import { timeline } from "./timeline";
import { TypingLine } from "./TypingLine";
import styles from "./Conversation.module.css";
import { useMarkRead } from "./useMarkRead";

export type OpenRoom = NonNullable<ConversationQuery["room"]>;

/** One room: who is in it, what was said, and where to say something. */
export function Conversation({ room }: { room: OpenRoom }) {
  const { viewerId } = useChat();
  const heading = useRef<HTMLHeadingElement>(null);
  const composer = useRef<HTMLTextAreaElement>(null);
  const [opened] = useState(() => ({
    readSeq: room.viewer.lastReadSeq,
    newestSeq: room.messages.edges.at(-1)?.node.seq ?? 0,
  }));
  const [isAtEnd, setIsAtEnd] = useState(true);
  const [editedId, setEditedId] = useState<string>();
  const unsent = useUnsent();
  const typists = useTypists(room.id);
  const messages = useMemo(() => room.messages.edges.map(({ node }) => node), [room.messages.edges]);

  useEffect(() => {
    // Where there is a keyboard on the screen, it would cover what one came to read.
    const target = matchMedia("(pointer: fine)").matches ? composer.current : heading.current;
    target?.focus({ preventScroll: true });
  }, []);
  useMarkRead(room, messages.at(-1)?.seq ?? 0, isAtEnd);

  const lines = useMemo(
    () =>
      timeline({
        messages,
        unsent: unsent.filter(({ roomId }) => roomId === room.id),
        viewerId,
        opened,
      }),
    [messages, unsent, room.id, viewerId, opened],
  );
  const readers = useMemo(
    () => receipts(messages, room.everybody.nodes, viewerId),
    [messages, room.everybody.nodes, viewerId],
  );

  function editLast() {
    const last = messages.findLast(({ author, deletedAt }) => author?.id === viewerId && deletedAt === null);
    if (last) setEditedId(last.id);
  }

  function stopEditing() {
    setEditedId(undefined);
    composer.current?.focus({ preventScroll: true });
  }

  return (
    <>
      <ConversationHeader room={room} headingRef={heading} />
      <MessageList
        room={room}
        lines={lines}
        readers={readers}
        editedId={editedId}
        onEdit={setEditedId}
        onStopEditing={stopEditing}
        onEndChange={setIsAtEnd}
      />
      <Announcer message={messages.at(-1)} newestSeq={opened.newestSeq} />
      <TypingLine typists={typists} />
      {room.viewer.permissions.includes("POST") ? (
        <Composer roomId={room.id} fieldRef={composer} onEditLast={editLast} />
      ) : (
        <p className={styles.quiet}>Only moderators post here.</p>
      )}
    </>
  );
}
