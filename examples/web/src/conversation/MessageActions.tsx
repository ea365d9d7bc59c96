import { useState } from "react";
import { EmojiPicker } from "../reactions/EmojiPicker";
import { IconButton } from "../ui/IconButton";

/** What the viewer may do with a message; what is left out isn't offered. */
export interface Actions {
  onReact?: ((emoji: string) => void) | undefined;
  onReply?: (() => void) | undefined;
  onPin?: (() => void) | undefined;
  isPinned: boolean;
  onMarkUnread?: (() => void) | undefined;
  onEdit?: (() => void) | undefined;
  onDelete?: (() => void) | undefined;
}

/** The buttons of a message, which are shown when it is pointed at or has the focus. */
export function MessageActions(actions: Actions) {
  const { onReact, onReply, onPin, isPinned, onMarkUnread, onEdit, onDelete } = actions;
  /** The button beside which emoji are to be picked from. */
  const [picksAt, setPicksAt] = useState<Element>();
  return (
    <>
      {onReact && (
        <IconButton
          icon="smile"
          label="React"
          isSmall
          aria-haspopup="dialog"
          onClick={({ currentTarget }) => {
            setPicksAt(currentTarget);
          }}
        />
      )}
      {onReply && <IconButton icon="reply" label="Reply" isSmall onClick={onReply} />}
      {onPin && (
        <IconButton
          icon="pin"
          label={isPinned ? "Unpin message" : "Pin message"}
          isSmall
          aria-pressed={isPinned}
          onClick={onPin}
        />
      )}
      {onMarkUnread && (
        <IconButton icon="unread" label="Mark unread from here" isSmall onClick={onMarkUnread} />
      )}
      {onEdit && <IconButton icon="edit" label="Edit message" isSmall onClick={onEdit} />}
      {onDelete && <IconButton icon="trash" label="Delete message" isSmall onClick={onDelete} />}
      {onReact && picksAt && (
        <EmojiPicker
          label="React with"
          anchor={picksAt}
          onPick={onReact}
          onClose={() => {
            setPicksAt(undefined);
          }}
        />
      )}
    </>
  );
}
