import { useNow } from "./useNow";

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const oldDate = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });

interface Props {
  at: string;
  /** `clock`: the hour alone. `short`: the hour today, a day otherwise. */
  look: "clock" | "short";
}

/** A moment, as people at this place and of this language write it. */
export function Time({ at, look }: Props) {
  const now = useNow();
  const moment = new Date(at);
  return (
    <time dateTime={at} title={full.format(moment)}>
      {look === "clock" ? clock.format(moment) : short(moment, now)}
    </time>
  );
}

function short(moment: Date, now: Date): string {
  if (moment.toDateString() === now.toDateString()) return clock.format(moment);
  const days = (now.getTime() - moment.getTime()) / 86_400_000;
  if (days < 6) return weekday.format(moment);
  return (moment.getFullYear() === now.getFullYear() ? date : oldDate).format(moment);
}
