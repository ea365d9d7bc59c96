import { memo, useState } from "react";
import { useClient } from "urql";
import { DeleteMessageDocument, type MessagePartsFragment } from "../gql/graphql";
import { explain, failureOf } from "../graphql/failure";
import { ConfirmDialog } from "../ui/ConfirmDialog";
import { IconButton } from "../ui/IconButton";
import { Text } from "../ui/Text";
import { Time } from "../ui/Time";
import { Bubble } from "./Bubble";
import styles from "./Message.module.css";
import { MessageEditor } from "./MessageEditor";
import { Receipt } from "./Receipt";
import type { Place } from "./timeline";

interface Props {
  message: MessagePartsFragment;
  place: Place;
  isGroup: boolean;
  readers: string[] | undefined;
  isNewestOwn: boolean;
  isEntry: boolean;
  isEdited: boolean;
  /** Whether the viewer may delete what others have written. */
  mayDelete: boolean;
  onEdit: (messageId: string) => void;
  onStopEditing: () => void;
}

export const Message = memo(function Message(props: Props) {
  const {
    message,
    place,
    isGroup,
    readers,
    isNewestOwn,
    isEntry,
    isEdited,
    mayDelete,
    onEdit,
    onStopEditing,
  } = props;
  const client = useClient();
  const [isAsking, setIsAsking] = useState(false);
  const [problem, setProblem] = useState("");
  const { author, body, createdAt, editedAt, deletedAt } = message;
  const name = author?.displayName ?? "Deleted account";
  const isDeleted = deletedAt !== null;

  async function remove() {
    const { error } = await client.mutation(DeleteMessageDocument, { messageId: message.id }).toPromise();
    setProblem(error ? explain(failureOf(error)) : "");
  }

  if (isEdited && !isDeleted) {
    return (
      <Bubble label="Your message" place={place} isWide isEntry={isEntry}>
        <MessageEditor message={message} onDone={onStopEditing} />
      </Bubble>
    );
  }
  return (
    <Bubble
      label={place.isOwn ? "Your message" : `Message from ${name}`}
      place={place}
      isEntry={isEntry}
      isFaint={isDeleted}
      author={isGroup && !place.isOwn && place.isFirst ? name : undefined}
      actions={
        (place.isOwn || mayDelete) &&
        !isDeleted && (
          <>
            {place.isOwn && (
              <IconButton
                icon="edit"
                label="Edit message"
                isSmall
                onClick={() => {
                  onEdit(message.id);
                }}
              />
            )}
            <IconButton
              icon="trash"
              label="Delete message"
              isSmall
              onClick={() => {
                setIsAsking(true);
              }}
            />
          </>
        )
      }
      below={
        <>
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
              onConfirm={() => void remove()}
              onClose={() => {
                setIsAsking(false);
              }}
            />
          )}
        </>
      }
    >
      {isDeleted ? (
        <p className={styles.deleted}>Message deleted</p>
      ) : (
        <p className={styles.body} dir="auto">
          <Text>{body}</Text>
        </p>
      )}
      <p className={styles.time}>
        {editedAt !== null && !isDeleted && "edited "}
        <Time at={createdAt} look="clock" />
      </p>
    </Bubble>
  );
});
