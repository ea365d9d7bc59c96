import { useEffect, useState } from "react";
import { Chat } from "./chat";
import { ChatContext } from "./chat-context";
import { Shell } from "./Shell";

/** Holds everything that lives as long as `userId` is signed in. */
export function ChatApp({ userId }: { userId: string }) {
  const [chat, setChat] = useState<Chat>();
  useEffect(() => {
    const started = new Chat(userId);
    started.start();
    // eslint-disable-next-line react-hooks/set-state-in-effect -- the effect that starts it ends it, too
    setChat(started);
    return () => {
      started.end();
    };
  }, [userId]);
  return chat ? (
    <ChatContext value={chat}>
      <Shell />
    </ChatContext>
  ) : null;
}
