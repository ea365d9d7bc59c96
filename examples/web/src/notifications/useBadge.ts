import { useEffect, useState } from "react";
import type { Client } from "@urql/core";
import { UnreadDocument } from "../gql/graphql";

const NAME = "Parlor";
/** What changes together asks once. */
const AFTER_MS = 500;

/**
 * Shows in the title of the page, and on the app's icon, how many messages there are of which the viewer is notified, in all
 * rooms. `hint` is what this page knows of that, without what is being read, and `unread` is with it; `mentions` are
 * those of the viewer, in muted rooms, too: when one of them changes, the server is asked.
 */
export function useBadge(client: Client, hint: number, unread: number, mentions: number) {
  const [badge, setBadge] = useState<number>();
  useEffect(() => {
    let isOver = false;
    const timer = setTimeout(() => {
      void client
        .query(UnreadDocument, {}, { requestPolicy: "network-only" })
        .toPromise()
        .then(({ data }) => {
          if (!isOver && data) setBadge(data.viewer.unread.badge);
        });
    }, AFTER_MS);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [client, hint, unread, mentions]);

  // Until the server has said it, what this page knows.
  const shown = badge ?? hint;
  useEffect(() => {
    document.title = shown > 0 ? `(${String(shown)}) ${NAME}` : NAME;
    if ("setAppBadge" in navigator) void navigator.setAppBadge(shown).catch(() => undefined);
    return () => {
      document.title = NAME;
      if ("clearAppBadge" in navigator) void navigator.clearAppBadge().catch(() => undefined);
    };
  }, [shown]);
}
