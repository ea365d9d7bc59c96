import { useState, type RefObject } from "react";
import { useClient } from "urql";
import { useChat } from "../app/chat-context";
import { paths, replace } from "../app/route";
import { LeaveRoomDocument, MuteRoomDocument, RenameRoomDocument } from "../gql/graphql";
import { explain, failureOf } from "../graphql/failure";
import { PinnedButton } from "../pins/PinnedButton";
import { othersOf, titleOf } from "../rooms/names";
import { Avatar } from "../ui/Avatar";
import { ConfirmDialog } from "../ui/ConfirmDialog";
import { Icon } from "../ui/Icon";
import { IconButton } from "../ui/IconButton";
import type { OpenRoom } from "./Conversation";
import styles from "./ConversationHeader.module.css";
import { RenameDialog } from "./RenameDialog";
import { Whereabouts } from "./Whereabouts";

interface Props {
  room: OpenRoom;
  headingRef: RefObject<HTMLHeadingElement | null>;
  onJump: (seq: number) => void;
}

export function ConversationHeader({ room, headingRef, onJump }: Props) {
  const { viewerId } = useChat();
  const client = useClient();
  const [isAsking, setIsAsking] = useState(false);
  const [isRenaming, setIsRenaming] = useState(false);
  const [problem, setProblem] = useState("");
  const { muted, permissions } = room.viewer;

  async function mute() {
    const { error } = await client.mutation(MuteRoomDocument, { roomId: room.id, muted: !muted }).toPromise();
    setProblem(error ? explain(failureOf(error)) : "");
  }

  async function rename(name: string) {
    const variables = { roomId: room.id, name: name.trim() === "" ? null : name };
    const { error } = await client.mutation(RenameRoomDocument, variables).toPromise();
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
      <PinnedButton pins={room.pinnedMessages} mayPin={permissions.includes("PIN")} onJump={onJump} />
      {permissions.includes("UPDATE_ROOM") && (
        <IconButton
          icon="edit"
          label="Rename"
          onClick={() => {
            setIsRenaming(true);
          }}
        />
      )}
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
      {isRenaming && (
        <RenameDialog
          name={room.name ?? ""}
          onRename={(name) => void rename(name)}
          onClose={() => {
            setIsRenaming(false);
          }}
        />
      )}
      {isAsking && (
        <ConfirmDialog
          title="Leave this conversation?"
          text={
            room.kind === "GROUP"
              ? "You will no longer see it."
              : "You will no longer see it. You come back when you start a chat with the same people again."
          }
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
