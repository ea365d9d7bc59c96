import { useState, type RefObject } from "react";
import { useClient } from "urql";
import { useChat } from "../app/chat-context";
import { paths, replace } from "../app/route";
import { LeaveRoomDocument, MuteRoomDocument } from "../gql/graphql";
import { explain, failureOf } from "../graphql/failure";
import { othersOf, titleOf } from "../rooms/names";
import { Avatar } from "../ui/Avatar";
import { ConfirmDialog } from "../ui/ConfirmDialog";
import { Icon } from "../ui/Icon";
import { IconButton } from "../ui/IconButton";
import type { OpenRoom } from "./Conversation";
import styles from "./ConversationHeader.module.css";
import { Whereabouts } from "./Whereabouts";

interface Props {
  room: OpenRoom;
  headingRef: RefObject<HTMLHeadingElement | null>;
}

export function ConversationHeader({ room, headingRef }: Props) {
  const { viewerId } = useChat();
  const client = useClient();
  const [isAsking, setIsAsking] = useState(false);
  const [problem, setProblem] = useState("");
  const { muted } = room.viewer;

  async function mute() {
    const { error } = await client.mutation(MuteRoomDocument, { roomId: room.id, muted: !muted }).toPromise();
    setProblem(error ? explain(failureOf(error)) : "");
  }

  async function leave() {
    const { error } = await client.mutation(LeaveRoomDocument, { roomId: room.id }).toPromise();
    if (error) setProblem(explain(failureOf(error)));
    else replace(paths.rooms);
  }

  return (
    <header className={styles.header}>
      <a className={styles.back} href={paths.rooms} aria-label="Back to conversations">
        <Icon name="back" />
      </a>
      <Avatar people={othersOf(room, viewerId)} />
      <div className={styles.text}>
        <h1 ref={headingRef} tabIndex={-1} className="one-line" dir="auto">
          {titleOf(room, viewerId)}
        </h1>
        <p className={styles.whereabouts}>
          <Whereabouts room={room} />
        </p>
      </div>
      <IconButton
        icon={muted ? "bell-off" : "bell"}
        label="Mute"
        aria-pressed={muted}
        onClick={() => void mute()}
      />
      <IconButton
        icon="leave"
        label="Leave"
        onClick={() => {
          setIsAsking(true);
        }}
      />
      <p role="alert" className={styles.problem}>
        {problem}
      </p>
      {isAsking && (
        <ConfirmDialog
          title="Leave this conversation?"
          text="You will no longer see it. You come back when you start a chat with the same people again."
          action="Leave conversation"
          onConfirm={() => void leave()}
          onClose={() => {
            setIsAsking(false);
          }}
        />
      )}
    </header>
  );
}
