import { useEffect, useRef } from "react";
import { rowIdOf } from "../rooms/names";
import type { Route } from "./route";

/** Back from a conversation, its row in the list has the focus. */
export function useFocusOnReturn(route: Route) {
  const left = useRef<string>(undefined);
  const roomId = route.page === "room" ? route.id : undefined;
  useEffect(() => {
    if (roomId === undefined && left.current !== undefined && route.page === "rooms") {
      document.getElementById(rowIdOf(left.current))?.focus();
    }
    left.current = roomId;
  }, [roomId, route.page]);
}
