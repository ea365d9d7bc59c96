import { memo, useState } from "react";
import { DeleteMessageDocument, SetReactionDocument } from "../gql/graphql";
import { Attachments } from "../files/Attachments";
import { useAttempt } from "../graphql/useAttempt";
import { normal } from "../reactions/emoji";
import { Reactions } from "../reactions/Reactions";
import { Quote } from "../replies/Quote";
import { ConfirmDialog } from "../ui/ConfirmDialog";
import { Text } from "../ui/Text";
import { Time } from "../ui/Time";
import { Bubble } from "./Bubble";
import styles from "./Message.module.css";
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
}

interface Props {
  message: ShownMessage;
  place: Place;
  isGroup: boolean;
  readers: string[] | undefined;
  isNewestOwn: boolean;
  isEntry: boolean;
  isEdited: boolean;
  /** Whether it was just gone to. */
  isMarked: boolean;
  may: May;
  onEdit: (messageId: string) => void;
  onStopEditing: () => void;
  onReply: (messageId: string) => void;
  onJump: (seq: number) => void;
}

export const Message = memo(function Message(props: Props) {
  const { message, place, isGroup, readers, isNewestOwn, isEntry, isEdited, isMarked, may } = props;
  const { onEdit, onStopEditing, onReply, onJump } = props;
  const [isAsking, setIsAsking] = useState(false);
  const { problem, attempt } = useAttempt();
  const { id, seq, author, body, createdAt, editedAt, deletedAt, replyTo, replyToSeq, reactions } = message;
  const { attachments } = message;
  const name = author?.displayName ?? "Deleted account";
  const isDeleted = deletedAt !== null;

  function react(emoji: string, on: boolean) {
    void attempt(SetReactionDocument, { messageId: id, emoji: normal(emoji), on });
  }

  if (isEdited && !isDeleted) {
    return (
      <Bubble label="Your message" place={place} isWide isEntry={isEntry}>
        <MessageEditor message={message} onDone={onStopEditing} />
      </Bubble>
    );
  }
  const actions = {
    onReact: may.react ? (emoji: string) => react(emoji, true) : undefined,
    onReply: may.post ? () => onReply(id) : undefined,
    onEdit: place.isOwn ? () => onEdit(id) : undefined,
    onDelete: place.isOwn || may.delete ? () => setIsAsking(true) : undefined,
  };
  return (
    <Bubble
      id={elementIdOf(seq)}
      label={place.isOwn ? "Your message" : `Message from ${name}`}
      place={place}
      isEntry={isEntry}
      isFaint={isDeleted}
      isMarked={isMarked}
      hasFiles={attachments.length > 0}
      author={isGroup && !place.isOwn && place.isFirst ? name : undefined}
      actions={!isDeleted && <MessageActions isPinned={false} {...actions} />}
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
              <Text>{body}</Text>
            </p>
          )}
        </>
      )}
      <p className={styles.time}>
        {editedAt !== null && !isDeleted && "edited "}
        <Time at={createdAt} look="clock" />
      </p>
    </Bubble>
  );
});
