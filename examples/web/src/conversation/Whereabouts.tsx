import { useChat } from "../app/chat-context";
import { useNow } from "../ui/useNow";
import type { OpenRoom } from "./Conversation";

const ago = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

/** Whether the other is there, or how many of several are. */
export function Whereabouts({ room }: { room: OpenRoom }) {
  const { viewerId } = useChat();
  const now = useNow();
  const others = room.everybody.nodes.flatMap(({ user }) => (user && user.id !== viewerId ? [user] : []));
  const [other] = others;
  if (!other) return <>Everybody else has left</>;
  if (others.length === 1) {
    const { online, lastSeenAt } = other.presence;
    if (online) return <>Online</>;
    return <>{lastSeenAt === null ? "Offline" : `Last seen ${relative(new Date(lastSeenAt), now)}`}</>;
  }
  const more = room.everybody.pageInfo.hasNextPage ? "+" : "";
  const online = others.filter(({ presence }) => presence.online).length;
  return (
    <>
      {others.length + 1}
      {more} members{online > 0 && `, ${String(online)} online`}
    </>
  );
}

function relative(moment: Date, now: Date): string {
  const minutes = Math.min(0, Math.round((moment.getTime() - now.getTime()) / 60_000));
  if (minutes > -60) return ago.format(minutes, "minute");
  const hours = Math.round(minutes / 60);
  return hours > -24 ? ago.format(hours, "hour") : ago.format(Math.round(hours / 24), "day");
}
