import { useEffect } from "react";

const NAME = "Parlor";

/** Shows in the title of the page how many messages are unread. */
export function useTitle(unreadCount: number) {
  useEffect(() => {
    document.title = unreadCount > 0 ? `(${String(unreadCount)}) ${NAME}` : NAME;
    return () => {
      document.title = NAME;
    };
  }, [unreadCount]);
}
