import { useEffect, useId, useRef } from "react";
import { Button } from "./Button";
import styles from "./ConfirmDialog.module.css";

interface Props {
  title: string;
  text: string;
  /** What the button says that does it. */
  action: string;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before something that can't be undone. The browser keeps the focus inside, and gives it back. */
export function ConfirmDialog({ title, text, action, onConfirm, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);
  const close = () => dialog.current?.close();
  return (
    <dialog ref={dialog} className={styles.dialog} aria-labelledby={id} onClose={onClose}>
      <h2 id={id}>{title}</h2>
      <p>{text}</p>
      <div className={styles.buttons}>
        <Button look="quiet" onClick={close}>
          Cancel
        </Button>
        <Button
          look="danger"
          onClick={() => {
            onConfirm();
            close();
          }}
        >
          {action}
        </Button>
      </div>
    </dialog>
  );
}
