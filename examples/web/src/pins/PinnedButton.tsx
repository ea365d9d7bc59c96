import { useState } from "react";
import { summaryOf } from "../conversation/summary";
import { PinMessageDocument, type PinFragment } from "../gql/graphql";
import { useAttempt } from "../graphql/useAttempt";
import { Dialog } from "../ui/Dialog";
import { Icon } from "../ui/Icon";
import { IconButton } from "../ui/IconButton";
import { Time } from "../ui/Time";
import styles from "./PinnedButton.module.css";

interface Props {
  pins: readonly PinFragment[];
  mayPin: boolean;
  onJump: (seq: number) => void;
}

/** In the header of a conversation: how many messages are pinned in it, and the list of them. */
export function PinnedButton({ pins, mayPin, onJump }: Props) {
  const [isOpen, setIsOpen] = useState(false);
  const { problem, attempt } = useAttempt();
  if (pins.length === 0 && !isOpen) return null;
  return (
    <>
      <button
        type="button"
        className={styles.button}
        aria-label={`Pinned messages: ${String(pins.length)}`}
        title="Pinned messages"
        aria-haspopup="dialog"
        onClick={() => {
          setIsOpen(true);
        }}
      >
        <Icon name="pin" />
        {pins.length}
      </button>
      {isOpen && (
        <Dialog
          title="Pinned messages"
          isWide
          onClose={() => {
            setIsOpen(false);
          }}
        >
          {pins.length === 0 && <p>None is pinned any more.</p>}
          <ul className={styles.pins}>
            {pins.map(({ message }) => (
              <li key={message.id}>
                <button
                  type="button"
                  className={styles.pin}
                  onClick={() => {
                    setIsOpen(false);
                    onJump(message.seq);
                  }}
                >
                  <span className={styles.line}>
                    <bdi className={styles.author}>{message.author?.displayName ?? "Deleted account"}</bdi>
                    <Time at={message.createdAt} look="short" />
                  </span>
                  <span className={styles.text} dir="auto">
                    {summaryOf(message)}
                  </span>
                </button>
                {mayPin && (
                  <IconButton
                    icon="close"
                    label="Unpin"
                    isSmall
                    onClick={() => void attempt(PinMessageDocument, { messageId: message.id, pinned: false })}
                  />
                )}
              </li>
            ))}
          </ul>
          <p role="alert" className={styles.problem}>
            {problem}
          </p>
        </Dialog>
      )}
    </>
  );
}
