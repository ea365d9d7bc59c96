import { useCallback, useSyncExternalStore } from "react";
import { Provider } from "urql";
import { ConversationPane } from "../conversation/ConversationPane";
import { MentionsPage } from "../mentions/MentionsPage";
import { NewChat } from "../people/NewChat";
import { Sidebar } from "../rooms/Sidebar";
import { EmptyState } from "../ui/EmptyState";
import { useChat } from "./chat-context";
import { ConnectionBanner } from "./ConnectionBanner";
import { useRoute } from "./route";
import { useFocusOnReturn } from "./useFocusOnReturn";
import styles from "./Shell.module.css";

/** List and conversation: side by side where there is room, otherwise one at a time. */
export function Shell() {
  const chat = useChat();
  const client = useSyncExternalStore(
    chat.subscribe,
    useCallback(() => chat.client, [chat]),
  );
  const route = useRoute();
  useFocusOnReturn(route);
  return (
    <Provider value={client}>
      <div className={styles.shell} data-pane={route.page === "rooms" ? "list" : "main"}>
        <ConnectionBanner />
        <Sidebar className={styles.sidebar} />
        <main className={styles.main}>
          {route.page === "room" && <ConversationPane key={route.id} roomId={route.id} seq={route.seq} />}
          {route.page === "new" && <NewChat />}
          {route.page === "mentions" && <MentionsPage />}
          {route.page === "rooms" && (
            <EmptyState icon="bubbles" title="Pick a conversation">
              <p>Choose one from the list, or start a new one.</p>
            </EmptyState>
          )}
        </main>
      </div>
    </Provider>
  );
}
