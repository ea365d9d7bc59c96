import type { ComponentProps } from "react";
import { cx } from "./cx";
import styles from "./Button.module.css";

type Props = ComponentProps<"button"> & { look?: "main" | "quiet" | "danger" };

export function Button({ look = "main", className, ...button }: Props) {
  return <button type="button" className={cx(styles.button, styles[look], className)} {...button} />;
}
