import { Icon } from "../ui/Icon";
import styles from "./Search.module.css";

interface Props {
  text: string;
  onChange: (text: string) => void;
}

/** The field in which one says what to look for in all conversations. */
export function Search({ text, onChange }: Props) {
  return (
    <div className={styles.search}>
      <Icon name="search" />
      <input
        type="search"
        aria-label="Search messages"
        placeholder="Search messages"
        dir="auto"
        maxLength={64}
        value={text}
        onChange={({ target }) => {
          onChange(target.value);
        }}
      />
    </div>
  );
}
