import { useCallback, useId, useRef, useState, type KeyboardEvent, type RefObject } from "react";
import { useClient } from "urql";
import { useChat, useUploads } from "../app/chat-context";
import { AttachButton } from "../files/AttachButton";
import { UploadList } from "../files/UploadList";
import { MAX_FILES } from "../files/uploads";
import { useDrop } from "../files/useDrop";
import { SetTypingDocument } from "../gql/graphql";
import { Suggestions } from "../mentions/Suggestions";
import { useMentions } from "../mentions/useMentions";
import type { OpenRoom } from "./Conversation";
import { mentionable } from "./mentionable";
import { EmojiPicker } from "../reactions/EmojiPicker";
import { Answering } from "../replies/Answering";
import { IconButton } from "../ui/IconButton";
import styles from "./Composer.module.css";
import { drafts } from "./drafts";
import { isEnter } from "./keys";
import type { ShownMessage } from "./timeline";
import { useGrowing } from "./useGrowing";

/** The server says that typing has ended six seconds after the last call. */
const TYPING_EVERY_MS = 4_000;
const MAX_BYTES = 16_384;

interface Props {
  room: OpenRoom;
  fieldRef: RefObject<HTMLTextAreaElement | null>;
  /** The message that is being answered. */
  answered: ShownMessage | undefined;
  /** It is answered, or not to be. */
  onAnswered: () => void;
  onEditLast: () => void;
}

/**
 * Where messages are written. Enter sends, Shift+Enter begins a line, ArrowUp edits the last message, Escape answers
 * nothing.
 */
export function Composer({ room, fieldRef, answered, onAnswered, onEditLast }: Props) {
  const { outbox, uploads, viewerId } = useChat();
  const roomId = room.id;
  const client = useClient();
  const [text, setText] = useState(() => drafts.of(roomId));
  const typedAt = useRef(-Infinity);
  /** The button beside which emoji are to be picked from. */
  const [picksAt, setPicksAt] = useState<Element>();
  const cursor = useRef<number>(undefined);
  const hintId = useId();
  useGrowing(fieldRef, text);
  const body = text.trim();
  const isTooLong = new TextEncoder().encode(body).length > MAX_BYTES;
  const files = useUploads(roomId);
  const areThere = files.every(({ state }) => state === "ready");
  const canSend = (body !== "" || files.length > 0) && !isTooLong && areThere;
  const [leftOut, setLeftOut] = useState(0);
  const attach = useCallback(
    (chosen: File[]) => {
      setLeftOut(uploads.add(roomId, chosen));
      fieldRef.current?.focus();
    },
    [uploads, roomId, fieldRef],
  );
  const isDropping = useDrop(attach);

  const mentions = useMentions({
    fieldRef,
    text,
    people: mentionable(room, viewerId),
    mayMentionRoom: room.viewer.permissions.includes("MENTION_ROOM"),
    onChange: write,
  });

  function write(value: string) {
    setText(value);
    drafts.keep(roomId, value);
    if (value.trim() === "" || performance.now() - typedAt.current < TYPING_EVERY_MS) return;
    typedAt.current = performance.now();
    void client.mutation(SetTypingDocument, { roomId }).toPromise();
  }

  function send() {
    if (!canSend) return;
    const attachments = uploads.take(roomId);
    const mentioned = mentions.mentioned();
    outbox.add(roomId, body, {
      ...(answered ? { replyToId: answered.id } : {}),
      ...(attachments.length > 0 ? { attachments } : {}),
      ...(mentioned.mentions.length > 0 ? { mentions: mentioned.mentions } : {}),
      ...(mentioned.mentionsRoom ? { mentionsRoom: true } : {}),
    });
    write("");
    onAnswered();
    typedAt.current = -Infinity;
  }

  /** Where the cursor is, behind which it stands then. */
  function insert(inserted: string) {
    const field = fieldRef.current;
    const [start, end] = [field?.selectionStart ?? text.length, field?.selectionEnd ?? text.length];
    write(text.slice(0, start) + inserted + text.slice(end));
    cursor.current = start + inserted.length;
  }

  function closePicker() {
    setPicksAt(undefined);
    fieldRef.current?.focus();
    if (cursor.current !== undefined) fieldRef.current?.setSelectionRange(cursor.current, cursor.current);
    cursor.current = undefined;
  }

  function keyDown(event: KeyboardEvent) {
    if (mentions.keyDown(event)) return;
    if (isEnter(event)) {
      event.preventDefault();
      send();
    } else if (event.key === "ArrowUp" && text === "") {
      event.preventDefault();
      onEditLast();
    } else if (event.key === "Escape" && answered) {
      event.preventDefault();
      onAnswered();
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
      {answered && (
        <Answering
          message={answered}
          onCancel={() => {
            onAnswered();
            fieldRef.current?.focus();
          }}
        />
      )}
      <Suggestions mentions={mentions} />
      <UploadList uploads={files} />
      {isDropping && <p className={styles.drop}>Drop files here to attach them</p>}
      <AttachButton onFiles={attach} />
      <IconButton
        icon="smile"
        label="Insert emoji"
        aria-haspopup="dialog"
        onClick={({ currentTarget }) => {
          setPicksAt(currentTarget);
        }}
      />
      {picksAt && <EmojiPicker label="Insert emoji" anchor={picksAt} onPick={insert} onClose={closePicker} />}
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
          mentions.moved(target);
        }}
        onSelect={({ currentTarget }) => {
          mentions.moved(currentTarget);
        }}
        {...mentions.aria}
        onKeyDown={keyDown}
        onPaste={(event) => {
          const pasted = [...event.clipboardData.files];
          if (pasted.length === 0) return;
          event.preventDefault();
          attach(pasted);
        }}
      />
      <p id={hintId} className={isTooLong ? styles.tooLong : "visually-hidden"}>
        {isTooLong ? "This is too long for one message." : "Enter sends, Shift and Enter begin a new line."}
      </p>
      <p role="status" className={styles.tooLong}>
        {leftOut > 0 && files.length === MAX_FILES && `A message has ${String(MAX_FILES)} files at most.`}
      </p>
      <IconButton icon="send" label="Send" type="submit" className={styles.send} disabled={!canSend} />
    </form>
  );
}
