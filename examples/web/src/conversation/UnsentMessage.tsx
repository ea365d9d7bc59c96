import { useChat, useConnectionState } from "../app/chat-context";
import { explain } from "../graphql/failure";
import type { Unsent } from "../outbox/outbox";
import type { QuotedFragment } from "../gql/graphql";
import { sizeOf } from "../files/sizes";
import { Icon } from "../ui/Icon";
import { Quote } from "../replies/Quote";
import { Text } from "../ui/Text";
import { Time } from "../ui/Time";
import { Bubble } from "./Bubble";
import styles from "./Message.module.css";
import type { Place } from "./timeline";
import unsentStyles from "./UnsentMessage.module.css";

interface Props {
  unsent: Unsent;
  /** What it answers, if that is shown. */
  answered: QuotedFragment | undefined;
  place: Place;
  isEntry: boolean;
  onJump: (seq: number) => void;
}

/** A message that the server hasn't confirmed. */
export function UnsentMessage({ unsent, answered, place, isEntry, onJump }: Props) {
  const { outbox } = useChat();
  const isLive = useConnectionState() === "live";
  const { body, attachments, clientId, createdAt, failure } = unsent;
  return (
    <Bubble
      label={failure ? "Your message, not sent" : "Your message, not sent yet"}
      place={place}
      isEntry={isEntry}
      hasFiles={attachments !== undefined}
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
      {answered && <Quote message={answered} onJump={onJump} />}
      {attachments?.map(({ id, name, size }) => (
        <p key={id} className={unsentStyles.file}>
          <Icon name="file" size={16} /> <bdi>{name}</bdi>, {sizeOf(size)}
        </p>
      ))}
      {body !== "" && (
        <p className={styles.body} dir="auto">
          <Text>{body}</Text>
        </p>
      )}
      <p className={styles.time}>
        <Time at={createdAt} look="clock" />
      </p>
    </Bubble>
  );
}
