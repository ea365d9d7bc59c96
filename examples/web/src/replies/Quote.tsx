import type { QuotedFragment } from "../gql/graphql";
import { summaryOf } from "../conversation/summary";
import styles from "./Quote.module.css";

interface Props {
  /** As it is now; null if it isn't kept any more. */
  message: QuotedFragment | null;
  onJump: (seq: number) => void;
}

/** Above an answer: what it answers, which is shown when this is pressed. */
export function Quote({ message, onJump }: Props) {
  if (!message) return <p className={styles.quote}>Answers a message that isn’t kept any more</p>;
  const name = message.author?.displayName ?? "Deleted account";
  const text = summaryOf(message);
  return (
    <button
      type="button"
      className={styles.quote}
      aria-label={`Answers ${name}: ${text}. Show that message`}
      onClick={() => {
        onJump(message.seq);
      }}
    >
      <bdi className={styles.author}>{name}</bdi>
      <span className={styles.text} dir="auto">
        {text}
      </span>
    </button>
  );
}
