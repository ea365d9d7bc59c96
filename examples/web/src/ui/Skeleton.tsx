import { cx } from "./cx";
import styles from "./Skeleton.module.css";

/** Stands where content will be. It comes late, so that what is fast doesn't flash. */
export function Skeleton({ look, count }: { look: "rows" | "bubbles"; count: number }) {
  return (
    <div className={cx(styles.skeleton, styles[look])} aria-hidden="true">
      {Array.from({ length: count }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  );
}
