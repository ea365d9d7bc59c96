import { useEffect, useState } from "react";
import { useChat, useConnectionState } from "./chat-context";
import styles from "./ConnectionBanner.module.css";

/** A short loss is none of the user's business. */
const SHOWN_AFTER_MS = 1_500;

const TEXTS = {
  connecting: "Connecting… What you write is kept, and sent when the server is back.",
  "catching-up": "Catching up…",
  offline: "You are offline. What you write is kept, and sent when you are back.",
};

/** Says, also to screen readers, when what is shown may be old. */
export function ConnectionBanner() {
  const { patience } = useChat();
  const state = useConnectionState();
  const [isShown, setIsShown] = useState(false);
  const isLive = state === "live";
  useEffect(() => {
    if (isLive) return;
    const timer = setTimeout(
      () => {
        setIsShown(true);
      },
      state === "offline" ? 0 : SHOWN_AFTER_MS,
    );
    return () => {
      clearTimeout(timer);
    };
  }, [isLive, state]);
  if (isLive && isShown) setIsShown(false);
  const isVisible = isShown && !isLive;
  return (
    <div className={styles.place}>
      <div role="status" aria-label="Connection" className={styles.status}>
        {isVisible && <p className={styles.text}>{TEXTS[state]}</p>}
      </div>
      {isVisible && state === "connecting" && (
        <button type="button" className={styles.now} onClick={patience.now}>
          Try now
        </button>
      )}
    </div>
  );
}
