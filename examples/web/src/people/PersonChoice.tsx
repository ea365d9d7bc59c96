import type { PersonFragment } from "../gql/graphql";
import { Avatar } from "../ui/Avatar";
import styles from "./PersonChoice.module.css";

interface Props {
  person: PersonFragment;
  isChosen: boolean;
  onToggle: () => void;
}

export function PersonChoice({ person, isChosen, onToggle }: Props) {
  return (
    <li>
      <label className={styles.person}>
        <Avatar people={[person]} />
        <span className={styles.names}>
          <span className={styles.name}>
            <bdi>{person.displayName}</bdi>
          </span>
          <span className={styles.username}>@{person.username}</span>
        </span>
        {person.type === "SUPPORT" && <span className={styles.support}>Support</span>}
        <input type="checkbox" checked={isChosen} onChange={onToggle} />
      </label>
    </li>
  );
}
