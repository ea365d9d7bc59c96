import { useEffect, useRef, useState, type RefObject } from "react";
import { useClient } from "urql";
import { OlderMessagesDocument } from "../gql/graphql";
import { explain, failureOf } from "../graphql/failure";
import type { OpenRoom } from "./Conversation";

/** The most that a page can have. */
const JUMP_PAGE = 100;
/** How long what was jumped to is marked. */
const MARKED_MS = 2_500;

interface Jump {
  room: OpenRoom;
  /** Where to go, if anywhere. */
  wantedSeq: number | undefined;
  scroller: RefObject<HTMLElement | null>;
  /** Has new messages no longer scroll the list. */
  leaveEnd: () => void;
  onDone: () => void;
}

/** The id on the page of a message's element. */
export function elementIdOf(seq: number): string {
  return `message-${String(seq)}`;
}

/** Goes to a message: fetches what lies between it and what is shown, brings it into sight, and gives it the focus. */
export function useJump({ room, wantedSeq, scroller, leaveEnd, onDone }: Jump) {
  const client = useClient();
  const [problem, setProblem] = useState("");
  const [markedSeq, setMarkedSeq] = useState<number>();
  const loading = useRef<string>(undefined);
  const first = room.messages.edges[0];

  useEffect(() => {
    if (wantedSeq === undefined || !first) return;
    const element = scroller.current?.querySelector(`#${elementIdOf(wantedSeq)}`);
    if (element instanceof HTMLElement) {
      leaveEnd();
      element.scrollIntoView({ block: "center" });
      element.focus({ preventScroll: true });
      // eslint-disable-next-line react-hooks/set-state-in-effect -- it follows what was done to the page
      setMarkedSeq(wantedSeq);
      setProblem("");
      onDone();
      return;
    }
    if (wantedSeq >= first.node.seq) {
      setProblem("That message isn’t there any more.");
      onDone();
      return;
    }
    if (loading.current === first.cursor) return;
    loading.current = first.cursor;
    const variables = { id: room.id, last: JUMP_PAGE, before: first.cursor };
    void client
      .query(OlderMessagesDocument, variables, { requestPolicy: "network-only" })
      .toPromise()
      .then(({ data, error }) => {
        loading.current = undefined;
        // What is kept no longer can't be gone to.
        const isOver = error !== undefined || data?.room?.messages.edges.length === 0;
        if (!isOver) return;
        setProblem(error ? explain(failureOf(error)) : "That message isn’t kept any more.");
        onDone();
      });
  }, [client, first, leaveEnd, onDone, room.id, scroller, wantedSeq]);

  useEffect(() => {
    if (markedSeq === undefined) return;
    const timer = setTimeout(() => {
      setMarkedSeq(undefined);
    }, MARKED_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [markedSeq]);

  return { problem, markedSeq, isOnTheWay: wantedSeq !== undefined && wantedSeq < (first?.node.seq ?? 0) };
}
