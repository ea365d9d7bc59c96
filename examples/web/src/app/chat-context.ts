import { createContext, use, useCallback, useMemo, useSyncExternalStore } from "react";
import type { Chat } from "./chat";

export const ChatContext = createContext<Chat | null>(null);

export function useChat(): Chat {
  const chat = use(ChatContext);
  if (!chat) throw new Error("not inside of <ChatApp>");
  return chat;
}

export function useConnectionState() {
  const { connection } = useChat();
  return useSyncExternalStore(connection.subscribe, () => connection.state);
}

/** Who is typing in a room. */
export function useTypists(roomId: string) {
  const { typing } = useChat();
  return useSyncExternalStore(typing.subscribe, () => typing.in(roomId));
}

/** The files that are chosen for the next message of a room. */
export function useUploads(roomId: string) {
  const { uploads } = useChat();
  const all = useSyncExternalStore(
    uploads.subscribe,
    useCallback(() => uploads.all(), [uploads]),
  );
  return useMemo(() => all.filter((upload) => upload.roomId === roomId), [all, roomId]);
}

/** All messages that are unsent, of all rooms. */
export function useUnsent() {
  const { outbox } = useChat();
  return useSyncExternalStore(
    outbox.subscribe,
    useCallback(() => outbox.entries(), [outbox]),
  );
}
