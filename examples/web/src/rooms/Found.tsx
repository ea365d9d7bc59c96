import { useState } from "react";
import { useQuery } from "urql";
import { paths } from "../app/route";
import { FoundDocument, type FoundQuery } from "../gql/graphql";
import { explain, failureOf } from "../graphql/failure";
import { Button } from "../ui/Button";
import { cx } from "../ui/cx";
import { EmptyState } from "../ui/EmptyState";
import { Skeleton } from "../ui/Skeleton";
import { Time } from "../ui/Time";
import styles from "./Found.module.css";

type Hit = FoundQuery["search"]["nodes"][number];

/** Messages that match, the newest first. A page that finds nothing may have a next one. */
export function Found({ text }: { text: string }) {
  const [pages, setPages] = useState<readonly (string | null)[]>([null]);
  return (
    <div className={styles.scroller} role="region" aria-label="Messages found" aria-live="polite">
      {pages.map((after, n) => (
        <Page
          key={after ?? ""}
          text={text}
          after={after}
          onMore={
            n === pages.length - 1
              ? (next) => {
                  setPages([...pages, next]);
                }
              : undefined
          }
        />
      ))}
    </div>
  );
}

interface PageProps {
  text: string;
  after: string | null;
  onMore: ((after: string) => void) | undefined;
}

function Page({ text, after, onMore }: PageProps) {
  // What was found a moment ago may have been deleted since.
  const [{ data, error, fetching }] = useQuery({
    query: FoundDocument,
    variables: { text, after },
    requestPolicy: "network-only",
  });
  if (error && !data) return <p role="alert">{explain(failureOf(error))}</p>;
  if (!data) return fetching ? <Skeleton look="rows" count={4} /> : null;
  const { nodes, pageInfo } = data.search;
  const next = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  if (nodes.length === 0 && next === null && after === null) {
    return (
      <EmptyState icon="search" title="Nothing found">
        <p>Messages are found by how their words begin.</p>
      </EmptyState>
    );
  }
  return (
    <>
      <ul>
        {/* What is deleted meanwhile is shown no longer. */}
        {nodes
          .filter(({ message }) => message.deletedAt === null)
          .map((hit) => (
            <FoundMessage key={hit.message.id} hit={hit} />
          ))}
      </ul>
      {next !== null && onMore && (
        <Button
          look="quiet"
          className={styles.more}
          onClick={() => {
            onMore(next);
          }}
        >
          Older messages
        </Button>
      )}
    </>
  );
}

function FoundMessage({ hit: { message, fragments } }: { hit: Hit }) {
  return (
    <li>
      <a className={styles.hit} href={paths.message(message.room.id, message.seq)}>
        <span className={styles.line}>
          <span className={cx("one-line", styles.author)} dir="auto">
            {message.author?.displayName ?? "Deleted account"}
          </span>
          <span className={styles.time}>
            <Time at={message.createdAt} look="short" />
          </span>
        </span>
        <span className={styles.text} dir="auto">
          {fragments.map(({ text, isMatch }, n) => (isMatch ? <mark key={n}>{text}</mark> : text))}
        </span>
      </a>
    </li>
  );
}
