import { useEffect } from "react";
import { useChat } from "../app/chat-context";
import styles from "./PresenceDot.module.css";

/** Shows who is online. While it is on the screen, the user's presence is fetched after each reconnect. */
export function PresenceDot({ userId, isOnline }: { userId: string; isOnline: boolean }) {
  const { presence } = useChat();
  useEffect(() => presence.show(userId), [presence, userId]);
  return isOnline ? <span className={styles.dot} data-testid="online" /> : null;
}
