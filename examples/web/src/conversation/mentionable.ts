import type { OpenRoom } from "./Conversation";

/** The other members of a room, as far as the conversation has them. */
export function mentionable(room: OpenRoom, viewerId: string) {
  return room.everybody.nodes.flatMap(({ user }) => (user && user.id !== viewerId ? [user] : []));
}
