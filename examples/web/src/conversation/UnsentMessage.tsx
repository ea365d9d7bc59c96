import { useChat, useConnectionState } from "../app/chat-context";
import { explain } from "../graphql/failure";
import type { Unsent } from "../outbox/outbox";
import { Text } from "../ui/Text";
import { Time } from "../ui/Time";
import { Bubble } from "./Bubble";
import styles from "./Message.module.css";
import type { Place } from "./timeline";
import unsentStyles from "./UnsentMessage.module.css";

/** A message that the server hasn't confirmed. */
export function UnsentMessage({
  unsent,
  place,
  isEntry,
}: {
  unsent: Unsent;
  place: Place;
  isEntry: boolean;
}) {
  const { outbox } = useChat();
  const isLive = useConnectionState() === "live";
  const { body, clientId, createdAt, failure } = unsent;
  return (
    <Bubble
      label={failure ? "Your message, not sent" : "Your message, not sent yet"}
      place={place}
      isEntry={isEntry}
      below={
        failure ? (
          <div className={unsentStyles.failed} role="alert">
            <p>Not sent. {explain(failure)}</p>
            <button
              type="button"
              onClick={() => {
                outbox.retry(clientId);
              }}
            >
              Try again
            </button>
            <button
              type="button"
              onClick={() => {
                outbox.remove(clientId);
              }}
            >
              Discard
            </button>
          </div>
        ) : (
          place.isLast && <p className={unsentStyles.status}>{isLive ? "Sending…" : "Will be sent"}</p>
        )
      }
    >
      <p className={styles.body} dir="auto">
        <Text>{body}</Text>
      </p>
      <p className={styles.time}>
        <Time at={createdAt} look="clock" />
      </p>
    </Bubble>
  );
}
