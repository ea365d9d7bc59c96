import { useEffect } from "react";
import { useQuery } from "urql";
import { useConnectionState } from "../app/chat-context";
import { paths } from "../app/route";
import { MEMBERS_MAX, MESSAGES_PAGE } from "../pages";
import { ConversationDocument } from "../gql/graphql";
import { explain, failureOf } from "../graphql/failure";
import { Button } from "../ui/Button";
import { EmptyState } from "../ui/EmptyState";
import { Skeleton } from "../ui/Skeleton";
import { Conversation } from "./Conversation";
import styles from "./ConversationPane.module.css";

interface Props {
  roomId: string;
  /** The message that is to be looked at; the newest, if none is. */
  seq: number | undefined;
}

/** Fetches a room and shows it, or says why it can't. */
export function ConversationPane({ roomId, seq }: Props) {
  const [{ data, error, fetching }, again] = useQuery({
    query: ConversationDocument,
    variables: { id: roomId, last: MESSAGES_PAGE, members: MEMBERS_MAX },
  });
  const hasFailed = error !== undefined && !data;
  const isLive = useConnectionState() === "live";
  useEffect(() => {
    if (hasFailed && isLive) again({ requestPolicy: "network-only" });
  }, [hasFailed, isLive, again]);

  if (data?.room) return <Conversation room={data.room} wantedSeq={seq} />;
  if (hasFailed) {
    return (
      <EmptyState icon="warning" title="This conversation can’t be shown">
        <p role="alert">{explain(failureOf(error))}</p>
        <Button
          look="quiet"
          onClick={() => {
            again({ requestPolicy: "network-only" });
          }}
        >
          Try again
        </Button>
        <a href={paths.rooms}>Back to conversations</a>
      </EmptyState>
    );
  }
  if (!data || fetching) {
    return (
      <div className={styles.loading} role="status" aria-label="Loading the conversation">
        <Skeleton look="bubbles" count={7} />
      </div>
    );
  }
  return (
    <EmptyState icon="bubbles" title="No such conversation">
      <p>You may have left it, or it was deleted.</p>
      <a href={paths.rooms}>Back to conversations</a>
    </EmptyState>
  );
}
