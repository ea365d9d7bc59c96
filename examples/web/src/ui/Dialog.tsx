import { useEffect, useId, useRef, type ReactNode } from "react";
import { cx } from "./cx";
import styles from "./Dialog.module.css";
import { IconButton } from "./IconButton";

interface Props {
  title: string;
  isWide?: boolean;
  onClose: () => void;
  children: ReactNode;
}

/** A window in the page that shows something. The browser keeps the focus inside, and gives it back. */
export function Dialog({ title, isWide = false, onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const { current } = dialog;
    if (!current) return;
    if (!current.open) current.showModal();
    // Outside of what it shows is its backdrop, which is the dialog itself.
    const outside = (event: MouseEvent) => {
      if (event.target === current) current.close();
    };
    current.addEventListener("click", outside);
    return () => {
      current.removeEventListener("click", outside);
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className={cx(styles.dialog, isWide && styles.wide)}
      aria-labelledby={id}
      onClose={onClose}
    >
      <div className={styles.inside}>
        <header className={styles.header}>
          <h2 id={id}>{title}</h2>
          <IconButton icon="close" label="Close" onClick={() => dialog.current?.close()} />
        </header>
        {children}
      </div>
    </dialog>
  );
}
