import { Dialog } from "../ui/Dialog";
import styles from "./Reactions.module.css";

interface Props {
  reactions: readonly { emoji: string; count: number; who: string }[];
  onClose: () => void;
}

/** Who reacted how, for those who have no pointer to rest on a reaction. */
export function WhoReacted({ reactions, onClose }: Props) {
  return (
    <Dialog title="Reactions" onClose={onClose}>
      <ul className={styles.list}>
        {reactions.map(({ emoji, count, who }) => (
          <li key={emoji}>
            <span className={styles.large}>{emoji}</span>
            <span className={styles.count}>{count}</span>
            <span dir="auto">{who}</span>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
