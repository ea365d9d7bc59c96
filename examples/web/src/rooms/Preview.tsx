import { useChat } from "../app/chat-context";
import type { RoomPartsFragment } from "../gql/graphql";
import { summaryOf } from "../conversation/summary";
import { isolate } from "./names";

/** The last message of a room, in a line. */
export function Preview({ room }: { room: RoomPartsFragment }) {
  const { viewerId } = useChat();
  const { lastMessage } = room;
  if (!lastMessage) return <>No messages yet</>;
  if (lastMessage.deletedAt !== null) return <em>Message deleted</em>;
  const isGroup = room.members.nodes.length > 2;
  const { author } = lastMessage;
  const text = summaryOf(lastMessage);
  if (author?.id === viewerId) return <>You: {text}</>;
  return <>{isGroup && author ? `${isolate(author.displayName)}: ${text}` : text}</>;
}
