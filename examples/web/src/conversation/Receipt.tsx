import { joined } from "../rooms/names";
import styles from "./Receipt.module.css";

/** Below a message of the viewer's: who has read it. */
export function Receipt({ readers, isGroup }: { readers: string[]; isGroup: boolean }) {
  if (readers.length === 0) return <p className={styles.receipt}>Sent</p>;
  return <p className={styles.receipt}>{isGroup ? `Read by ${joined(readers)}` : "Read"}</p>;
}
