import type { ComponentProps } from "react";
import { cx } from "./cx";
import { Icon, type IconName } from "./Icon";
import styles from "./IconButton.module.css";

type Props = Omit<ComponentProps<"button">, "children"> & {
  icon: IconName;
  label: string;
  isSmall?: boolean;
};

export function IconButton({ icon, label, isSmall = false, className, ...button }: Props) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={cx(styles.button, isSmall && styles.small, className)}
      {...button}
    >
      <Icon name={icon} size={isSmall ? 16 : 20} />
    </button>
  );
}
