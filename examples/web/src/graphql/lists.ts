import type { Cache, ResolverConfig } from "@urql/exchange-graphcache";
import { ROOMS_PAGE } from "../pages";

/**
 * The two lists that grow: the rooms, and the messages of a room. Each is read as the union of all that the cache has of
 * it, whichever page, event or mutation brought it, and in whichever order. So nothing has to be put into a list at
 * the right place, and nothing is in it twice.
 */
export const resolvers: ResolverConfig = {
  Query: {
    room: (_, args, cache) =>
      cache.resolve("Query", "room", args) === null ? null : { __typename: "Room", id: args.id as string },
    rooms: (_, args, cache) => ("after" in args ? cache.resolve("Query", "rooms", args) : roomList(cache)),
  },
  Room: {
    messages: (_, args, cache, info) => {
      const page = cache.resolve(info.parentKey, "messages", args);
      // Pages before a message are only fetched; it is the first query that is shown.
      if ("before" in args || typeof page !== "string") return page;
      return { __typename: "MessageConnection", edges: newestRun(cache, info.parentKey) };
    },
  },
};

const FIRST_ROOMS = { first: ROOMS_PAGE };

/** All rooms of the viewer that are in the cache, the latest activity first. */
function roomList(cache: Cache) {
  let page = cache.resolve("Query", "rooms", FIRST_ROOMS);
  if (typeof page !== "string") return undefined;
  const rooms = new Set<string>();
  let lastPage = page;
  while (typeof page === "string") {
    lastPage = page;
    for (const room of keys(cache.resolve(page, "nodes"))) rooms.add(room);
    const after = cache.resolve(cache.resolve(page, "pageInfo") as string, "endCursor");
    page = after ? cache.resolve("Query", "rooms", { ...FIRST_ROOMS, after }) : undefined;
  }
  for (const { fieldKey, fieldName, arguments: args } of cache.inspectFields("Query")) {
    if (fieldName !== "room") continue;
    const room = cache.resolve("Query", fieldKey);
    if (typeof room === "string") rooms.add(room);
    else if (room === null) rooms.delete(`Room:${args?.id as string}`);
  }
  const nodes = [...rooms]
    .flatMap((room) => {
      const at = cache.resolve(room, "lastActivityAt");
      return typeof at === "string" ? [{ room, at }] : [];
    })
    .sort((one, other) => compare(other.at, one.at) || compare(other.room, one.room))
    .map(({ room }) => room);
  return { __typename: "RoomConnection", nodes, pageInfo: cache.resolve(lastPage, "pageInfo") as string };
}

/** Says that the list of rooms has to be read anew: graphcache notices only what changes. */
export function touchRooms(cache: Cache) {
  const page = cache.resolve("Query", "rooms", FIRST_ROOMS);
  if (typeof page !== "string") return;
  cache.link("Query", "rooms", FIRST_ROOMS, null);
  cache.link("Query", "rooms", FIRST_ROOMS, page);
}

/**
 * The messages of a room from the newest one back to the first hole, as edges. Their numbers are without holes in the
 * room, so a hole is a page that hasn't been fetched: scrolling up fetches it.
 */
function newestRun(cache: Cache, room: string): string[] {
  const edges = new Map<number, string>();
  let newest = 0;
  for (const { fieldKey, fieldName } of cache.inspectFields(room)) {
    if (fieldName !== "messages") continue;
    const page = cache.resolve(room, fieldKey);
    if (typeof page !== "string") continue;
    for (const edge of keys(cache.resolve(page, "edges"))) {
      const seq = cache.resolve(cache.resolve(edge, "node") as string, "seq");
      if (typeof seq !== "number") continue;
      edges.set(seq, edge);
      newest = Math.max(newest, seq);
    }
  }
  const run: string[] = [];
  for (let seq = newest; ; seq -= 1) {
    const edge = edges.get(seq);
    if (edge === undefined) return run.reverse();
    run.push(edge);
  }
}

function keys(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((key): key is string => typeof key === "string") : [];
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
