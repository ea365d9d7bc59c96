import type { PersonFragment, RoomPartsFragment } from "../gql/graphql";

const list = new Intl.ListFormat(undefined, { style: "long", type: "conjunction" });

/** The other members of a room, as far as its summary has them. */
export function othersOf(room: RoomPartsFragment, viewerId: string): PersonFragment[] {
  return room.members.nodes.flatMap(({ user }) => (user && user.id !== viewerId ? [user] : []));
}

/** A group has a name, if it was given one. Other rooms are called after the others in them. */
export function titleOf(room: RoomPartsFragment, viewerId: string): string {
  if (room.name !== null) return room.name;
  const names = othersOf(room, viewerId).map(({ displayName }) => displayName);
  if (names.length === 0) return "Nobody else";
  return joined(names, room.members.pageInfo.hasNextPage ? "others" : undefined);
}

/** Several names as a text. One stays as it is, in its own direction. */
export function joined(names: string[], others?: string): string {
  const [name] = names;
  if (names.length === 1 && others === undefined && name !== undefined) return name;
  return list.format([...names.map(isolate), ...(others === undefined ? [] : [others])]);
}

/** Keeps the direction of a name to itself where it stands in a text of another direction. */
export function isolate(name: string): string {
  return `\u2068${name}\u2069`;
}

/** The id of a room's row on the page. */
export function rowIdOf(roomId: string): string {
  return `row-${roomId}`;
}
