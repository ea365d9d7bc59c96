import { useId, type ComponentProps } from "react";
import styles from "./Field.module.css";

type Props = Omit<ComponentProps<"input">, "id" | "minLength"> & {
  label: string;
  hint?: string | undefined;
  minLength?: number | undefined;
  isInvalid: boolean;
};

export function Field({ label, hint, isInvalid, ...input }: Props) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        required
        aria-invalid={isInvalid}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        {...input}
      />
      {hint !== undefined && (
        <p id={`${id}-hint`} className={styles.hint}>
          {hint}
        </p>
      )}
    </div>
  );
}
