import type { ReactNode } from "react";
import { Icon, type IconName } from "./Icon";
import styles from "./EmptyState.module.css";

interface Props {
  icon: IconName;
  title: string;
  children?: ReactNode;
}

/** What a place shows that has nothing to show. */
export function EmptyState({ icon, title, children }: Props) {
  return (
    <div className={styles.state}>
      <span className={styles.icon}>
        <Icon name={icon} size={36} />
      </span>
      <h2>{title}</h2>
      {children}
    </div>
  );
}
