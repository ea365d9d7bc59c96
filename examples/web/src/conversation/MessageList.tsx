import { useCallback, useMemo, useRef } from "react";
import { useChat } from "../app/chat-context";
import { EmptyState } from "../ui/EmptyState";
import { IconButton } from "../ui/IconButton";
import type { OpenRoom } from "./Conversation";
import { DaySeparator } from "./DaySeparator";
import { Message } from "./Message";
import styles from "./MessageList.module.css";
import { moveFocus } from "./moveFocus";
import { Older } from "./Older";
import type { Line } from "./timeline";
import { UnsentMessage } from "./UnsentMessage";
import { useJump } from "./useJump";
import { useKeptScroll } from "./useKeptScroll";

interface Props {
  room: OpenRoom;
  lines: readonly Line[];
  readers: ReadonlyMap<string, string[]>;
  editedId: string | undefined;
  onEdit: (messageId: string) => void;
  onStopEditing: () => void;
  onReply: (messageId: string) => void;
  /** The message to go to, if any. */
  wantedSeq: number | undefined;
  onJump: (seq: number | undefined) => void;
  onEndChange: (isAtEnd: boolean) => void;
}

export function MessageList(props: Props) {
  const { room, lines, readers, editedId, wantedSeq } = props;
  const { onEdit, onStopEditing, onReply, onJump, onEndChange } = props;
  const { viewerId } = useChat();
  const scroller = useRef<HTMLDivElement>(null);
  const firstEdge = room.messages.edges[0];
  const { isAtEnd, toEnd, leaveEnd } = useKeptScroll(scroller, lines, onEndChange);
  const onDone = useCallback(() => {
    onJump(undefined);
  }, [onJump]);
  const { problem, markedSeq, isOnTheWay } = useJump({ room, wantedSeq, scroller, leaveEnd, onDone });
  const pinned = useMemo(
    () => new Set(room.pinnedMessages.map(({ message }) => message.id)),
    [room.pinnedMessages],
  );
  const { permissions } = room.viewer;
  const may = useMemo(
    () => ({
      post: permissions.includes("POST"),
      react: permissions.includes("REACT"),
      delete: permissions.includes("DELETE_MESSAGES"),
      pin: permissions.includes("PIN"),
    }),
    [permissions],
  );
  const lastOwnId = room.messages.edges.findLast(({ node }) => node.author?.id === viewerId)?.node.id;
  const lastKey = lines.at(-1)?.key;
  const isGroup = room.everybody.nodes.length > 2;
  return (
    <div className={styles.place}>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- moves among the messages */}
      <div
        ref={scroller}
        className={styles.scroller}
        role="log"
        aria-live="off"
        aria-label="Messages"
        onKeyDown={moveFocus}
      >
        {firstEdge && firstEdge.node.seq > 1 && (
          <Older roomId={room.id} before={firstEdge.cursor} scroller={scroller} />
        )}
        {lines.length === 0 && (
          <EmptyState icon="bubbles" title="Nothing said yet">
            <p>Write the first message.</p>
          </EmptyState>
        )}
        <ol className={styles.lines}>
          {lines.map((line) => {
            switch (line.kind) {
              case "day":
                return <DaySeparator key={line.key} at={line.at} />;
              case "unread":
                return (
                  <li key={line.key} className={styles.unread}>
                    {line.isByHand ? "Unread from here" : "New messages"}
                  </li>
                );
              case "unsent":
                return (
                  <UnsentMessage
                    key={line.key}
                    unsent={line.unsent}
                    answered={room.messages.edges.find(({ node }) => node.id === line.unsent.replyToId)?.node}
                    place={line.place}
                    isEntry={line.key === lastKey}
                    onJump={onJump}
                  />
                );
              case "message":
                return (
                  <Message
                    key={line.key}
                    message={line.message}
                    place={line.place}
                    isGroup={isGroup}
                    readers={readers.get(line.message.id)}
                    isNewestOwn={line.message.id === lastOwnId}
                    isEntry={line.key === lastKey}
                    editedIn={line.message.id === editedId ? room : undefined}
                    isMarked={line.message.seq === markedSeq}
                    isPinned={pinned.has(line.message.id)}
                    may={may}
                    onEdit={onEdit}
                    onStopEditing={onStopEditing}
                    onReply={onReply}
                    onJump={onJump}
                  />
                );
            }
          })}
        </ol>
      </div>
      <p role="status" className={styles.way}>
        {isOnTheWay ? "Going there…" : problem}
      </p>
      {!isAtEnd && (
        <IconButton icon="down" label="To the newest message" className={styles.toEnd} onClick={toEnd} />
      )}
    </div>
  );
}
