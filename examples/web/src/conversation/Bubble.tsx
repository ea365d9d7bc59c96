import type { ReactNode } from "react";
import { cx } from "../ui/cx";
import styles from "./Bubble.module.css";
import type { Place } from "./timeline";

interface Props {
  /** Names it on the page. */
  id?: string;
  label: string;
  place: Place;
  author?: string | undefined;
  isFaint?: boolean;
  isWide?: boolean;
  /** Whether files are in it, each line of which is one of its own. */
  hasFiles?: boolean;
  /** Whether it mentions the viewer. */
  isMention?: boolean;
  /** Whether it stands out for a moment. */
  isMarked?: boolean;
  /** Whether the keyboard enters the list here. */
  isEntry?: boolean;
  actions?: ReactNode;
  below?: ReactNode;
  children: ReactNode;
}

/** A message's frame, which joins those of the same author before and after it. */
export function Bubble(props: Props) {
  const {
    id,
    label,
    place,
    author,
    isFaint,
    isWide,
    hasFiles,
    isMention,
    isMarked,
    isEntry,
    actions,
    below,
    children,
  } = props;
  return (
    <li
      className={cx(
        styles.line,
        place.isOwn && styles.own,
        place.isFirst && styles.first,
        place.isLast && styles.last,
      )}
    >
      <article
        id={id}
        className={cx(styles.message, isMarked && styles.marked)}
        aria-label={label}
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- shows the actions; see MessageList
        tabIndex={isEntry ? 0 : -1}
      >
        {author !== undefined && (
          <p className={styles.author}>
            <bdi>{author}</bdi>
          </p>
        )}
        <div
          className={cx(
            styles.bubble,
            isFaint && styles.faint,
            isWide && styles.wide,
            hasFiles && styles.files,
            isMention && styles.mention,
          )}
        >
          {children}
        </div>
        {actions && <div className={styles.actions}>{actions}</div>}
        {below}
      </article>
    </li>
  );
}
