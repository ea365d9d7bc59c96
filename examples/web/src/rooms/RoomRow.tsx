import { memo } from "react";
import { useChat, useTypists } from "../app/chat-context";
import { paths } from "../app/route";
import type { RoomPartsFragment } from "../gql/graphql";
import { Avatar } from "../ui/Avatar";
import { cx } from "../ui/cx";
import { Icon } from "../ui/Icon";
import { Time } from "../ui/Time";
import { othersOf, rowIdOf, titleOf } from "./names";
import { Preview } from "./Preview";
import styles from "./RoomRow.module.css";

interface Props {
  room: RoomPartsFragment;
  unreadCount: number;
  isOpen: boolean;
}

export const RoomRow = memo(function RoomRow({ room, unreadCount, isOpen }: Props) {
  const { viewerId } = useChat();
  const typists = useTypists(room.id);
  const { muted } = room.viewer;
  return (
    <li>
      <a
        id={rowIdOf(room.id)}
        href={paths.room(room.id)}
        className={cx(styles.row, unreadCount > 0 && styles.unread)}
        aria-current={isOpen ? "page" : undefined}
      >
        <Avatar people={othersOf(room, viewerId)} />
        <span className={styles.text}>
          <span className={styles.line}>
            <span className={cx("one-line", styles.title)} dir="auto">
              {titleOf(room, viewerId)}
            </span>
            {muted && (
              <span className={styles.muted}>
                <Icon name="bell-off" size={14} />
                <span className="visually-hidden">muted</span>
              </span>
            )}
            <span className={styles.time}>
              <Time at={room.lastActivityAt} look="short" />
            </span>
          </span>
          <span className={styles.line}>
            <span className={cx("one-line", styles.preview)} dir="auto">
              {typists.length > 0 ? <em>typing…</em> : <Preview room={room} />}
            </span>
            {unreadCount > 0 && room.viewer.unreadMentionCount > 0 && (
              <span className={styles.badge}>
                @<span className="visually-hidden"> mentions you</span>
              </span>
            )}
            {unreadCount > 0 && (
              <span className={cx(styles.badge, muted && styles.quiet)}>
                {unreadCount > 99 ? "99+" : unreadCount}
                <span className="visually-hidden"> unread</span>
              </span>
            )}
          </span>
        </span>
      </a>
    </li>
  );
});
