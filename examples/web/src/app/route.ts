import { useSyncExternalStore } from "react";

export type Route =
  { page: "rooms" } | { page: "new" } | { page: "mentions" } | { page: "room"; id: string; seq?: number };

/** In the fragment of the address, so that any server of files can serve the app, at any path. */
export const paths = {
  rooms: "#/",
  new: "#/new",
  mentions: "#/mentions",
  room: (id: string) => `#/rooms/${encodeURIComponent(id)}`,
  /** A message in a room. */
  message: (roomId: string, seq: number) => `#/rooms/${encodeURIComponent(roomId)}/${String(seq)}`,
};

export function parseRoute(hash: string): Route {
  if (hash === paths.new) return { page: "new" };
  if (hash === paths.mentions) return { page: "mentions" };
  const [, id, seq] = /^#\/rooms\/([^/]+)(?:\/(\d+))?$/.exec(hash) ?? [];
  if (id === undefined) return { page: "rooms" };
  return { page: "room", id: decoded(id), ...(seq === undefined ? {} : { seq: Number(seq) }) };
}

export function go(path: string) {
  window.location.hash = path;
}

/** Goes there without a step back to where the app was. */
export function replace(path: string) {
  window.location.replace(path);
}

export function useRoute(): Route {
  return parseRoute(useSyncExternalStore(subscribe, () => window.location.hash));
}

function subscribe(changed: () => void) {
  window.addEventListener("hashchange", changed);
  return () => {
    window.removeEventListener("hashchange", changed);
  };
}

function decoded(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}
