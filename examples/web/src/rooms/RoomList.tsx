import { useCallback, useState, useSyncExternalStore } from "react";
import { useQuery } from "urql";
import { useChat } from "../app/chat-context";
import { paths, useRoute } from "../app/route";
import { ROOMS_PAGE } from "../pages";
import { RoomsDocument } from "../gql/graphql";
import { explain, failureOf } from "../graphql/failure";
import { useBadge } from "../notifications/useBadge";
import { Button } from "../ui/Button";
import { EmptyState } from "../ui/EmptyState";
import { Skeleton } from "../ui/Skeleton";
import { RoomRow } from "./RoomRow";
import styles from "./RoomList.module.css";

/** The viewer's rooms, the latest activity first. `Start` has put the first page into the cache. */
export function RoomList() {
  const chat = useChat();
  const startFailure = useSyncExternalStore(
    chat.subscribe,
    useCallback(() => chat.startFailure, [chat]),
  );
  const [{ data }] = useQuery({
    query: RoomsDocument,
    variables: { first: ROOMS_PAGE },
    requestPolicy: "cache-only",
  });
  const route = useRoute();
  const lookedAtId = useSyncExternalStore(chat.lookedAt.subscribe, () => chat.lookedAt.roomId);
  const [problem, setProblem] = useState("");
  const [isLoading, setIsLoading] = useState(false);
  const rooms = data?.rooms.nodes ?? [];
  const openId = route.page === "room" ? route.id : undefined;
  // What is being read just now doesn't count, though the server may not know it yet.
  const unreadOf = ({ id, viewer }: (typeof rooms)[number]) => (id === lookedAtId ? 0 : viewer.unreadCount);
  const told = rooms.filter(({ viewer }) => !viewer.muted);
  useBadge(
    chat.client,
    told.reduce((sum, room) => sum + unreadOf(room), 0),
    told.reduce((sum, { viewer }) => sum + viewer.unreadCount, 0),
    rooms.reduce((sum, { viewer }) => sum + viewer.unreadMentionCount, 0),
  );

  if (!data) {
    return startFailure ? (
      <EmptyState icon="warning" title="Nothing to show yet">
        <p>{explain(startFailure)} This page tries again by itself.</p>
        <Button look="quiet" onClick={chat.patience.now}>
          Try now
        </Button>
      </EmptyState>
    ) : (
      <Skeleton look="rows" count={6} />
    );
  }

  const { endCursor, hasNextPage } = data.rooms.pageInfo;
  async function loadMore() {
    setIsLoading(true);
    const { error } = await chat.client
      .query(RoomsDocument, { first: ROOMS_PAGE, after: endCursor })
      .toPromise();
    setProblem(error ? explain(failureOf(error)) : "");
    setIsLoading(false);
  }

  if (rooms.length === 0) {
    return (
      <EmptyState icon="bubbles" title="No conversations yet">
        <p>Find somebody to talk to.</p>
        <a className={styles.find} href={paths.new}>
          Find people
        </a>
      </EmptyState>
    );
  }
  return (
    <div className={styles.scroller}>
      <ul className={styles.list}>
        {rooms.map((room) => (
          <RoomRow key={room.id} room={room} unreadCount={unreadOf(room)} isOpen={room.id === openId} />
        ))}
      </ul>
      {hasNextPage && (
        <Button look="quiet" className={styles.more} disabled={isLoading} onClick={() => void loadMore()}>
          More conversations
        </Button>
      )}
      <p role="alert" className={styles.problem}>
        {problem}
      </p>
    </div>
  );
}
