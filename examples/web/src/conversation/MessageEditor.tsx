import { useEffect, useId, useRef, useState, type KeyboardEvent } from "react";
import { useClient } from "urql";
import { EditMessageDocument, type MessagePartsFragment } from "../gql/graphql";
import { explain, failureOf } from "../graphql/failure";
import { isEnter } from "./keys";
import styles from "./MessageEditor.module.css";
import { useGrowing } from "./useGrowing";

interface Props {
  message: MessagePartsFragment;
  onDone: () => void;
}

/** In the place of a message's text while it is edited. Enter saves, Escape cancels. */
export function MessageEditor({ message, onDone }: Props) {
  const client = useClient();
  const field = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(message.body);
  const [problem, setProblem] = useState("");
  const [isBusy, setIsBusy] = useState(false);
  const problemId = useId();
  useGrowing(field, text);
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
    if (body === "" || isBusy) return;
    setIsBusy(true);
    const { error } = await client.mutation(EditMessageDocument, { messageId: message.id, body }).toPromise();
    setIsBusy(false);
    if (error) setProblem(explain(failureOf(error)));
    else onDone();
  }

  function keyDown(event: KeyboardEvent) {
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
        }}
        onKeyDown={keyDown}
      />
      <p id={problemId} role="alert">
        {problem}
      </p>
      <div className={styles.buttons}>
        <button type="button" onClick={onDone}>
          Cancel
        </button>
        <button type="button" disabled={text.trim() === "" || isBusy} onClick={() => void save()}>
          Save
        </button>
      </div>
    </div>
  );
}
