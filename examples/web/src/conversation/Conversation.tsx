import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useChat, useTypists, useUnsent } from "../app/chat-context";
import { parseRoute, paths, replace } from "../app/route";
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

interface Props {
  room: OpenRoom;
  /** The message that the address of the page names. */
  wantedSeq: number | undefined;
}

/** One room: who is in it, what was said, and where to say something. */
export function Conversation({ room, wantedSeq }: Props) {
  const { viewerId } = useChat();
  const heading = useRef<HTMLHeadingElement>(null);
  const composer = useRef<HTMLTextAreaElement>(null);
  const [opened] = useState(() => ({
    readSeq: Math.min(room.viewer.lastReadSeq, (room.viewer.unreadFromSeq ?? Infinity) - 1),
    newestSeq: room.messages.edges.at(-1)?.node.seq ?? 0,
  }));
  const [isAtEnd, setIsAtEnd] = useState(true);
  const [editedId, setEditedId] = useState<string>();
  const [answeredId, setAnsweredId] = useState<string>();
  const [jumpSeq, setJumpSeq] = useState<number>();
  const unsent = useUnsent();
  const typists = useTypists(room.id);
  const messages = useMemo(() => room.messages.edges.map(({ node }) => node), [room.messages.edges]);

  const [isLedTo] = useState(wantedSeq !== undefined);
  useEffect(() => {
    // The message that one comes for has the focus.
    if (isLedTo) return;
    // Where there is a keyboard on the screen, it would cover what one came to read.
    const target = matchMedia("(pointer: fine)").matches ? composer.current : heading.current;
    target?.focus({ preventScroll: true });
  }, [isLedTo]);
  useMarkRead(room, messages.at(-1)?.seq ?? 0, isAtEnd);

  const lines = useMemo(
    () =>
      timeline({
        messages,
        unsent: unsent.filter(({ roomId }) => roomId === room.id),
        viewerId,
        unreadFromSeq: room.viewer.unreadFromSeq,
        opened,
      }),
    [messages, unsent, room.id, room.viewer.unreadFromSeq, viewerId, opened],
  );
  const readers = useMemo(
    () => receipts(messages, room.everybody.nodes, viewerId),
    [messages, room.everybody.nodes, viewerId],
  );

  // As it is now: what was deleted meanwhile is answered no longer.
  const answered = messages.find(({ id, deletedAt }) => id === answeredId && deletedAt === null);
  const reply = useCallback((messageId: string) => {
    setAnsweredId(messageId);
    composer.current?.focus({ preventScroll: true });
  }, []);
  const jump = useCallback(
    (seq: number | undefined) => {
      setJumpSeq(seq);
      // So that the same link leads there again.
      if (seq === undefined && parseRoute(window.location.hash).page === "room") replace(paths.room(room.id));
    },
    [room.id],
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
      <ConversationHeader room={room} headingRef={heading} onJump={jump} />
      <MessageList
        room={room}
        lines={lines}
        readers={readers}
        editedId={editedId}
        onEdit={setEditedId}
        onStopEditing={stopEditing}
        onReply={reply}
        wantedSeq={jumpSeq ?? wantedSeq}
        onJump={jump}
        onEndChange={setIsAtEnd}
      />
      <Announcer message={messages.at(-1)} newestSeq={opened.newestSeq} />
      <TypingLine typists={typists} />
      {room.viewer.permissions.includes("POST") ? (
        <Composer
          room={room}
          fieldRef={composer}
          answered={answered}
          onAnswered={() => {
            setAnsweredId(undefined);
          }}
          onEditLast={editLast}
        />
      ) : (
        <p className={styles.quiet}>Only moderators post here.</p>
      )}
    </>
  );
}
