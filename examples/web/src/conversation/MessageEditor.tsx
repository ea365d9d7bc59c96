import { useEffect, useId, useRef, useState, type KeyboardEvent } from "react";
import { useClient } from "urql";
import { EditMessageDocument, type MessagePartsFragment } from "../gql/graphql";
import { explain, failureOf } from "../graphql/failure";
import { useChat } from "../app/chat-context";
import { Suggestions } from "../mentions/Suggestions";
import { useMentions } from "../mentions/useMentions";
import type { OpenRoom } from "./Conversation";
import { mentionable } from "./mentionable";
import { isEnter } from "./keys";
import styles from "./MessageEditor.module.css";
import { useGrowing } from "./useGrowing";

interface Props {
  message: MessagePartsFragment;
  room: OpenRoom;
  onDone: () => void;
}

/** In the place of a message's text while it is edited. Enter saves, Escape cancels. */
export function MessageEditor({ message, room, onDone }: Props) {
  const client = useClient();
  const field = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(message.body);
  const [problem, setProblem] = useState("");
  const [isBusy, setIsBusy] = useState(false);
  const problemId = useId();
  useGrowing(field, text);
  const { viewerId } = useChat();
  const mentions = useMentions({
    fieldRef: field,
    text,
    people: mentionable(room, viewerId),
    mayMentionRoom: room.viewer.permissions.includes("MENTION_ROOM"),
    onChange: setText,
  });
  useEffect(() => {
    const { current } = field;
    current?.focus();
    current?.setSelectionRange(current.value.length, current.value.length);
  }, []);

  async function save() {
    const body = text.trim();
    if (body === message.body) {
      onDone();
      return;
    }
    if ((body === "" && message.attachments.length === 0) || isBusy) return;
    setIsBusy(true);
    const { error } = await client
      .mutation(EditMessageDocument, { messageId: message.id, body, ...mentions.mentioned() })
      .toPromise();
    setIsBusy(false);
    if (error) setProblem(explain(failureOf(error)));
    else onDone();
  }

  function keyDown(event: KeyboardEvent) {
    if (mentions.keyDown(event)) return;
    if (isEnter(event)) {
      event.preventDefault();
      void save();
    } else if (event.key === "Escape") {
      event.preventDefault();
      onDone();
    }
  }

  return (
    <div className={styles.editor}>
      <textarea
        ref={field}
        aria-label="Edit message"
        aria-describedby={problemId}
        rows={1}
        dir="auto"
        value={text}
        onChange={({ target }) => {
          setText(target.value);
          mentions.moved(target);
        }}
        onSelect={({ currentTarget }) => {
          mentions.moved(currentTarget);
        }}
        {...mentions.aria}
        onKeyDown={keyDown}
      />
      <Suggestions mentions={mentions} />
      <p id={problemId} role="alert">
        {problem}
      </p>
      <div className={styles.buttons}>
        <button type="button" onClick={onDone}>
          Cancel
        </button>
        <button
          type="button"
          disabled={(text.trim() === "" && message.attachments.length === 0) || isBusy}
          onClick={() => void save()}
        >
          Save
        </button>
      </div>
    </div>
  );
}
