import { useEffect, useId, useRef, useState } from "react";
import { Button } from "../ui/Button";
import confirm from "../ui/ConfirmDialog.module.css";
import styles from "./RenameDialog.module.css";

interface Props {
  name: string;
  onRename: (name: string) => void;
  onClose: () => void;
}

/** Asks for the name of a group. Without one, it is called after its members. */
export function RenameDialog({ name, onRename, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState(name);
  const id = useId();
  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);
  const close = () => dialog.current?.close();
  return (
    <dialog ref={dialog} className={confirm.dialog} aria-labelledby={id} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text !== name) onRename(text);
          close();
        }}
      >
        <h2 id={id}>Rename the group</h2>
        <label className={styles.field}>
          Name
          <input
            type="text"
            dir="auto"
            maxLength={100}
            value={text}
            onChange={({ target }) => {
              setText(target.value);
            }}
          />
        </label>
        <div className={confirm.buttons}>
          <Button type="button" look="quiet" onClick={close}>
            Cancel
          </Button>
          <Button type="submit">Rename</Button>
        </div>
      </form>
    </dialog>
  );
}
