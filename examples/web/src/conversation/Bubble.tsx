import type { ReactNode } from "react";
import { cx } from "../ui/cx";
import styles from "./Bubble.module.css";
import type { Place } from "./timeline";

interface Props {
  label: string;
  place: Place;
  author?: string | undefined;
  isFaint?: boolean;
  isWide?: boolean;
  /** Whether the keyboard enters the list here. */
  isEntry?: boolean;
  actions?: ReactNode;
  below?: ReactNode;
  children: ReactNode;
}

/** A message's frame, which joins those of the same author before and after it. */
export function Bubble({ label, place, author, isFaint, isWide, isEntry, actions, below, children }: Props) {
  return (
    <li
      className={cx(
        styles.line,
        place.isOwn && styles.own,
        place.isFirst && styles.first,
        place.isLast && styles.last,
      )}
    >
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- shows the actions; see MessageList */}
      <article className={styles.message} aria-label={label} tabIndex={isEntry ? 0 : -1}>
        {author !== undefined && (
          <p className={styles.author}>
            <bdi>{author}</bdi>
          </p>
        )}
        <div className={cx(styles.bubble, isFaint && styles.faint, isWide && styles.wide)}>{children}</div>
        {actions && <div className={styles.actions}>{actions}</div>}
        {below}
      </article>
    </li>
  );
}
