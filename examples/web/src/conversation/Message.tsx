import { memo, useState } from "react";
import {
  DeleteMessageDocument,
  MarkUnreadDocument,
  PinMessageDocument,
  SetReactionDocument,
} from "../gql/graphql";
import { Attachments } from "../files/Attachments";
import { useAttempt } from "../graphql/useAttempt";
import { useChat } from "../app/chat-context";
import { EVERYBODY } from "../mentions/mentions";
import { normal } from "../reactions/emoji";
import { Reactions } from "../reactions/Reactions";
import { Quote } from "../replies/Quote";
import { ConfirmDialog } from "../ui/ConfirmDialog";
import { Text } from "../ui/Text";
import { Time } from "../ui/Time";
import { Icon } from "../ui/Icon";
import { Bubble } from "./Bubble";
import styles from "./Message.module.css";
import type { OpenRoom } from "./Conversation";
import { MessageActions } from "./MessageActions";
import { MessageEditor } from "./MessageEditor";
import { Receipt } from "./Receipt";
import type { Place, ShownMessage } from "./timeline";
import { elementIdOf } from "./useJump";

/** What the viewer may do in the room. */
export interface May {
  post: boolean;
  react: boolean;
  /** What others have written. */
  delete: boolean;
  pin: boolean;
}

interface Props {
  message: ShownMessage;
  place: Place;
  isGroup: boolean;
  readers: string[] | undefined;
  isNewestOwn: boolean;
  isEntry: boolean;
  /** The room, whose members can be mentioned, while the message is edited. */
  editedIn: OpenRoom | undefined;
  /** Whether it was just gone to. */
  isMarked: boolean;
  isPinned: boolean;
  may: May;
  onEdit: (messageId: string) => void;
  onStopEditing: () => void;
  onReply: (messageId: string) => void;
  onJump: (seq: number) => void;
}

export const Message = memo(function Message(props: Props) {
  const { message, place, isGroup, readers, isNewestOwn, isEntry, editedIn, isMarked, isPinned, may } = props;
  const { onEdit, onStopEditing, onReply, onJump } = props;
  const [isAsking, setIsAsking] = useState(false);
  const { problem, attempt } = useAttempt();
  const { id, seq, author, body, createdAt, editedAt, deletedAt, replyTo, replyToSeq, reactions } = message;
  const { attachments } = message;
  const name = author?.displayName ?? "Deleted account";
  const isDeleted = deletedAt !== null;

  const { viewerId } = useChat();
  const isToAll = message.mentionsRoom;
  const viewerName = isToAll ? EVERYBODY : message.mentions.find((user) => user.id === viewerId)?.displayName;
  const isMentioned = viewerName !== undefined && !place.isOwn;
  const names = message.mentions.map((user) => user.displayName).concat(isToAll ? [EVERYBODY] : []);

  function react(emoji: string, on: boolean) {
    void attempt(SetReactionDocument, { messageId: id, emoji: normal(emoji), on });
  }

  if (editedIn && !isDeleted) {
    return (
      <Bubble label="Your message" place={place} isWide isEntry={isEntry}>
        <MessageEditor message={message} room={editedIn} onDone={onStopEditing} />
      </Bubble>
    );
  }
  const actions = {
    onReact: may.react ? (emoji: string) => react(emoji, true) : undefined,
    onReply: may.post ? () => onReply(id) : undefined,
    onPin: may.pin ? () => void attempt(PinMessageDocument, { messageId: id, pinned: !isPinned }) : undefined,
    onMarkUnread: () => void attempt(MarkUnreadDocument, { messageId: id }),
    onEdit: place.isOwn ? () => onEdit(id) : undefined,
    onDelete: place.isOwn || may.delete ? () => setIsAsking(true) : undefined,
  };
  return (
    <Bubble
      id={elementIdOf(seq)}
      label={place.isOwn ? "Your message" : `Message from ${name}${isMentioned ? ", mentions you" : ""}`}
      isMention={isMentioned}
      place={place}
      isEntry={isEntry}
      isFaint={isDeleted}
      isMarked={isMarked}
      hasFiles={attachments.length > 0}
      author={isGroup && !place.isOwn && place.isFirst ? name : undefined}
      actions={!isDeleted && <MessageActions isPinned={isPinned} {...actions} />}
      below={
        <>
          <Reactions
            reactions={reactions}
            own={message.viewer.reactions}
            mayReact={may.react}
            onReact={react}
          />
          {(readers ?? isNewestOwn) && !isDeleted && <Receipt readers={readers ?? []} isGroup={isGroup} />}
          {problem !== "" && (
            <p role="alert" className={styles.problem}>
              {problem}
            </p>
          )}
          {isAsking && (
            <ConfirmDialog
              title="Delete this message?"
              text="Its text will be gone for everybody. This can’t be undone."
              action="Delete"
              onConfirm={() => void attempt(DeleteMessageDocument, { messageId: id })}
              onClose={() => {
                setIsAsking(false);
              }}
            />
          )}
        </>
      }
    >
      {replyToSeq !== null && !isDeleted && <Quote message={replyTo} onJump={onJump} />}
      {isDeleted ? (
        <p className={styles.deleted}>Message deleted</p>
      ) : (
        <>
          <Attachments messageId={id} attachments={attachments} />
          {body !== "" && (
            <p className={styles.body} dir="auto">
              <Text mentions={names} viewerName={isMentioned ? viewerName : undefined}>
                {body}
              </Text>
            </p>
          )}
        </>
      )}
      <p className={styles.time}>
        {isPinned && !isDeleted && (
          <>
            <Icon name="pin" size={12} /> <span className="visually-hidden">pinned </span>
          </>
        )}
        {editedAt !== null && !isDeleted && "edited "}
        <Time at={createdAt} look="clock" />
      </p>
    </Bubble>
  );
});
