import { useId, useRef, useState, type KeyboardEvent, type RefObject } from "react";
import { useClient } from "urql";
import { useChat } from "../app/chat-context";
import { SetTypingDocument } from "../gql/graphql";
import { IconButton } from "../ui/IconButton";
import styles from "./Composer.module.css";
import { drafts } from "./drafts";
import { isEnter } from "./keys";
import { useGrowing } from "./useGrowing";

/** The server says that typing has ended six seconds after the last call. */
const TYPING_EVERY_MS = 4_000;
const MAX_BYTES = 16_384;

interface Props {
  roomId: string;
  fieldRef: RefObject<HTMLTextAreaElement | null>;
  onEditLast: () => void;
}

/** Where messages are written. Enter sends, Shift+Enter begins a line, ArrowUp edits the last message. */
export function Composer({ roomId, fieldRef, onEditLast }: Props) {
  const { outbox } = useChat();
  const client = useClient();
  const [text, setText] = useState(() => drafts.of(roomId));
  const typedAt = useRef(-Infinity);
  const hintId = useId();
  useGrowing(fieldRef, text);
  const body = text.trim();
  const isTooLong = new TextEncoder().encode(body).length > MAX_BYTES;
  const canSend = body !== "" && !isTooLong;

  function write(value: string) {
    setText(value);
    drafts.keep(roomId, value);
    if (value.trim() === "" || performance.now() - typedAt.current < TYPING_EVERY_MS) return;
    typedAt.current = performance.now();
    void client.mutation(SetTypingDocument, { roomId }).toPromise();
  }

  function send() {
    if (!canSend) return;
    outbox.add(roomId, body);
    write("");
    typedAt.current = -Infinity;
  }

  function keyDown(event: KeyboardEvent) {
    if (isEnter(event)) {
      event.preventDefault();
      send();
    } else if (event.key === "ArrowUp" && text === "") {
      event.preventDefault();
      onEditLast();
    }
  }

  return (
    <form
      className={styles.composer}
      onSubmit={(event) => {
        event.preventDefault();
        send();
        fieldRef.current?.focus();
      }}
    >
      <textarea
        ref={fieldRef}
        aria-label="Message"
        aria-describedby={hintId}
        placeholder="Message"
        rows={1}
        dir="auto"
        enterKeyHint="send"
        value={text}
        onChange={({ target }) => {
          write(target.value);
        }}
        onKeyDown={keyDown}
      />
      <p id={hintId} className={isTooLong ? styles.tooLong : "visually-hidden"}>
        {isTooLong ? "This is too long for one message." : "Enter sends, Shift and Enter begin a new line."}
      </p>
      <IconButton icon="send" label="Send" type="submit" className={styles.send} disabled={!canSend} />
    </form>
  );
}
