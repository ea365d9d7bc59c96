import { useState } from "react";
import { useQuery } from "urql";
import { useChat } from "../app/chat-context";
import { paths } from "../app/route";
import { summaryOf } from "../conversation/summary";
import { MentionsDocument, UnreadDocument } from "../gql/graphql";
import { explain, failureOf } from "../graphql/failure";
import header from "../people/NewChat.module.css";
import found from "../rooms/Found.module.css";
import { Button } from "../ui/Button";
import { cx } from "../ui/cx";
import { EmptyState } from "../ui/EmptyState";
import { Icon } from "../ui/Icon";
import { Skeleton } from "../ui/Skeleton";
import { Time } from "../ui/Time";

/** All messages that mention the viewer, the newest first. */
export function MentionsPage() {
  const [pages, setPages] = useState<readonly (string | null)[]>([null]);
  // When somebody mentions the viewer, or no longer does, the list is fetched anew.
  const [{ data }] = useQuery({ query: UnreadDocument, requestPolicy: "cache-only" });
  const unread = data?.viewer.unread.mentions ?? 0;
  return (
    <section className={header.page} aria-labelledby="mentions">
      <header className={header.header}>
        <a className={header.back} href={paths.rooms} aria-label="Back to conversations">
          <Icon name="back" />
        </a>
        <h1 id="mentions">Mentions of you</h1>
      </header>
      <div className={found.scroller}>
        {pages.map((after, n) => (
          <Page
            key={`${after ?? ""} ${String(unread)}`}
            after={after}
            onMore={n === pages.length - 1 ? (next) => setPages([...pages, next]) : undefined}
          />
        ))}
      </div>
    </section>
  );
}

interface Props {
  after: string | null;
  onMore: ((after: string) => void) | undefined;
}

function Page({ after, onMore }: Props) {
  const { viewerId } = useChat();
  const [{ data, error, fetching }, again] = useQuery({
    query: MentionsDocument,
    variables: { after },
    requestPolicy: "cache-and-network",
  });
  if (error && !data) {
    return (
      <>
        <p role="alert">{explain(failureOf(error))}</p>
        <Button look="quiet" className={found.more} onClick={() => again({ requestPolicy: "network-only" })}>
          Try again
        </Button>
      </>
    );
  }
  if (!data) return fetching ? <Skeleton look="rows" count={5} /> : null;
  const { pageInfo } = data.viewer.mentions;
  // A message may have been edited or deleted since it was listed.
  const nodes = data.viewer.mentions.nodes.filter(
    ({ deletedAt, mentions, mentionsRoom }) =>
      deletedAt === null && (mentionsRoom || mentions.some(({ id }) => id === viewerId)),
  );
  const { endCursor, hasNextPage } = pageInfo;
  if (nodes.length === 0 && after === null) {
    return (
      <EmptyState icon="at" title="Nobody has mentioned you">
        <p>Messages with your name behind an @ are found here.</p>
      </EmptyState>
    );
  }
  return (
    <>
      <ul>
        {nodes.map((message) => (
          <li key={message.id}>
            <a className={found.hit} href={paths.message(message.room.id, message.seq)}>
              <span className={found.line}>
                <span className={cx("one-line", found.author)} dir="auto">
                  {message.author?.displayName ?? "Deleted account"}
                </span>
                <span className={found.time}>
                  <Time at={message.createdAt} look="short" />
                </span>
              </span>
              <span className={found.text} dir="auto">
                {summaryOf(message)}
              </span>
            </a>
          </li>
        ))}
      </ul>
      {hasNextPage && endCursor !== null && onMore && (
        <Button look="quiet" className={found.more} onClick={() => onMore(endCursor)}>
          Older mentions
        </Button>
      )}
    </>
  );
}
