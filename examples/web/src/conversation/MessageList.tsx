import { useRef } from "react";
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
import { useKeptScroll } from "./useKeptScroll";

interface Props {
  room: OpenRoom;
  lines: readonly Line[];
  readers: ReadonlyMap<string, string[]>;
  editedId: string | undefined;
  onEdit: (messageId: string) => void;
  onStopEditing: () => void;
  onEndChange: (isAtEnd: boolean) => void;
}

export function MessageList({ room, lines, readers, editedId, onEdit, onStopEditing, onEndChange }: Props) {
  const { viewerId } = useChat();
  const scroller = useRef<HTMLDivElement>(null);
  const firstEdge = room.messages.edges[0];
  const { isAtEnd, toEnd } = useKeptScroll(scroller, lines, onEndChange);
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
                    New messages
                  </li>
                );
              case "unsent":
                return (
                  <UnsentMessage
                    key={line.key}
                    unsent={line.unsent}
                    place={line.place}
                    isEntry={line.key === lastKey}
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
                    isEdited={line.message.id === editedId}
                    mayDelete={room.viewer.permissions.includes("DELETE_MESSAGES")}
                    onEdit={onEdit}
                    onStopEditing={onStopEditing}
                  />
                );
            }
          })}
        </ol>
      </div>
      {!isAtEnd && (
        <IconButton icon="down" label="To the newest message" className={styles.toEnd} onClick={toEnd} />
      )}
    </div>
  );
}
