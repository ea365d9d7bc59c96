import { joined } from "../rooms/names";
import styles from "./Receipt.module.css";

/** So many are named, if there are more. */
const NAMED = 3;

/** Below a message of the viewer's: who has read it. */
export function Receipt({ readers, isGroup }: { readers: string[]; isGroup: boolean }) {
  if (readers.length === 0) return <p className={styles.receipt}>Sent</p>;
  return <p className={styles.receipt}>{isGroup ? `Read by ${readersOf(readers)}` : "Read"}</p>;
}

function readersOf(readers: string[]): string {
  if (readers.length <= NAMED + 1) return joined(readers);
  return joined(readers.slice(0, NAMED), `${String(readers.length - NAMED)} others`);
}
