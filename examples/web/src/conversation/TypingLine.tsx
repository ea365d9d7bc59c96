import { joined } from "../rooms/names";
import styles from "./TypingLine.module.css";

/** Who is typing. It keeps its place, so that nothing moves when somebody begins. */
export function TypingLine({ typists }: { typists: readonly { id: string; displayName: string }[] }) {
  const names = typists.map(({ displayName }) => displayName);
  return (
    <p className={styles.typing} role="status" aria-label="Typing">
      {names.length > 0 && (
        <>
          <span className={styles.dots} aria-hidden="true">
            <span />
            <span />
            <span />
          </span>
          {names.length > 3
            ? "Several people are typing…"
            : `${joined(names)} ${names.length > 1 ? "are" : "is"} typing…`}
        </>
      )}
    </p>
  );
}
