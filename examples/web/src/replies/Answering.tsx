import { summaryOf } from "../conversation/summary";
import type { QuotedFragment } from "../gql/graphql";
import { IconButton } from "../ui/IconButton";
import styles from "./Quote.module.css";

/** Above the field in which an answer is written: what it answers. */
export function Answering({ message, onCancel }: { message: QuotedFragment; onCancel: () => void }) {
  return (
    <div className={styles.answering} role="group" aria-label="Answering">
      <p>
        <bdi className={styles.author}>{message.author?.displayName ?? "Deleted account"}</bdi>
        <span className={styles.text} dir="auto">
          {summaryOf(message)}
        </span>
      </p>
      <IconButton icon="close" label="Answer nothing" isSmall onClick={onCancel} />
    </div>
  );
}
