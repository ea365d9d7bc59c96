import { useNow } from "../ui/useNow";
import styles from "./DaySeparator.module.css";

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const date = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const oldDate = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });

export function DaySeparator({ at }: { at: string }) {
  const now = useNow();
  const moment = new Date(at);
  return (
    <li className={styles.day}>
      <time dateTime={at.slice(0, 10)}>{nameOf(moment, now)}</time>
    </li>
  );
}

function nameOf(moment: Date, now: Date): string {
  const days = Math.round((midnight(moment) - midnight(now)) / 86_400_000);
  if (days > -2) {
    const name = relative.format(days, "day");
    return name.charAt(0).toLocaleUpperCase() + name.slice(1);
  }
  return (moment.getFullYear() === now.getFullYear() ? date : oldDate).format(moment);
}

function midnight(moment: Date): number {
  return new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime();
}
