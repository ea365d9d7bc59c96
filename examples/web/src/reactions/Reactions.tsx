import { useState } from "react";
import { useChat } from "../app/chat-context";
import type { MessagePartsFragment } from "../gql/graphql";
import { joined } from "../rooms/names";
import { cx } from "../ui/cx";
import { IconButton } from "../ui/IconButton";
import { inColours } from "./emoji";
import styles from "./Reactions.module.css";
import { WhoReacted } from "./WhoReacted";

type Group = MessagePartsFragment["reactions"][number];

interface Props {
  reactions: readonly Group[];
  /** The viewer's own. */
  own: readonly string[];
  mayReact: boolean;
  onReact: (emoji: string, on: boolean) => void;
}

/** Below a message: how its readers reacted. Pressing one adds the viewer's own, or takes it back. */
export function Reactions({ reactions, own, mayReact, onReact }: Props) {
  const { viewerId } = useChat();
  const [isAsking, setIsAsking] = useState(false);
  if (reactions.length === 0) return null;
  return (
    <div className={styles.reactions} role="group" aria-label="Reactions">
      {reactions.map((group) => {
        const isOwn = own.includes(group.emoji);
        const who = whoOf(group, viewerId, isOwn);
        return (
          <button
            key={group.emoji}
            type="button"
            className={cx(styles.reaction, isOwn && styles.own)}
            aria-pressed={isOwn}
            aria-label={`${group.emoji} ${String(group.count)}, ${who}`}
            title={who}
            disabled={!mayReact && !isOwn}
            onClick={() => {
              onReact(group.emoji, !isOwn);
            }}
          >
            <span className={styles.emoji}>{inColours(group.emoji)}</span>
            {group.count}
          </button>
        );
      })}
      <IconButton
        icon="people"
        label="Who reacted"
        isSmall
        className={styles.who}
        onClick={() => {
          setIsAsking(true);
        }}
      />
      {isAsking && (
        <WhoReacted
          reactions={reactions.map((group) => ({
            emoji: inColours(group.emoji),
            who: whoOf(group, viewerId, own.includes(group.emoji)),
            count: group.count,
          }))}
          onClose={() => {
            setIsAsking(false);
          }}
        />
      )}
    </div>
  );
}

/** The server names ten of them at most. */
function whoOf({ users, count }: Group, viewerId: string, isOwn: boolean): string {
  const others = users.filter(({ id }) => id !== viewerId).map(({ displayName }) => displayName);
  const names = isOwn ? ["You", ...others] : others;
  const more = count - names.length;
  if (more <= 0) return joined(names);
  const rest = more === 1 ? "1 other" : `${String(more)} others`;
  return names.length === 0 ? rest : joined(names, rest);
}
