import { useCallback, useEffect, useRef, useState, type RefObject } from "react";
import { useClient } from "urql";
import { MESSAGES_PAGE } from "../pages";
import { OlderMessagesDocument } from "../gql/graphql";
import { explain, failureOf } from "../graphql/failure";
import styles from "./Older.module.css";

interface Props {
  roomId: string;
  /** The cursor of the oldest message that is shown. */
  before: string;
  scroller: RefObject<HTMLElement | null>;
}

/** Fetches the page before the oldest message when it comes near, or when asked. */
export function Older({ roomId, before, scroller }: Props) {
  const client = useClient();
  const place = useRef<HTMLDivElement>(null);
  const loading = useRef<string>(undefined);
  const [problem, setProblem] = useState("");

  const load = useCallback(async () => {
    if (loading.current === before) return;
    loading.current = before;
    setProblem("");
    const { error } = await client
      .query(
        OlderMessagesDocument,
        { id: roomId, last: MESSAGES_PAGE, before },
        { requestPolicy: "network-only" },
      )
      .toPromise();
    if (error) {
      loading.current = undefined;
      setProblem(explain(failureOf(error)));
    }
  }, [client, roomId, before]);

  useEffect(() => {
    if (!place.current) return;
    const near = new IntersectionObserver(
      (entries) => {
        if (entries.some(({ isIntersecting }) => isIntersecting)) void load();
      },
      { root: scroller.current, rootMargin: "400px 0px 0px" },
    );
    near.observe(place.current);
    return () => {
      near.disconnect();
    };
  }, [load, scroller]);

  return (
    <div ref={place} className={styles.older}>
      <button type="button" onClick={() => void load()}>
        {problem === "" ? "Earlier messages" : "Try again"}
      </button>
      <p role="alert">{problem}</p>
    </div>
  );
}
