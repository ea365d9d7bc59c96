import { useState } from "react";
import { useQuery } from "urql";
import { useChat, useUnsent } from "../app/chat-context";
import { paths, replace } from "../app/route";
import { drafts } from "../conversation/drafts";
import { MentionsLink } from "../mentions/MentionsLink";
import { NotificationsButton } from "../notifications/NotificationsButton";
import { ROOMS_PAGE } from "../pages";
import { SignOutDocument, StartDocument } from "../gql/graphql";
import { fromBackend, session } from "../session";
import { Avatar } from "../ui/Avatar";
import { ConfirmDialog } from "../ui/ConfirmDialog";
import { cx } from "../ui/cx";
import { Icon } from "../ui/Icon";
import { IconButton } from "../ui/IconButton";
import { useLate } from "../people/useLate";
import { Found } from "./Found";
import { RoomList } from "./RoomList";
import { Search } from "./Search";
import styles from "./Sidebar.module.css";

/** The server takes a search each second, and some more at first. */
const TYPED_MS = 400;

/** Who is signed in, the way to a new conversation, and the list of them, or of messages while one searches. */
export function Sidebar({ className }: { className: string | undefined }) {
  const chat = useChat();
  const [{ data }] = useQuery({
    query: StartDocument,
    variables: { first: ROOMS_PAGE },
    requestPolicy: "cache-only",
  });
  const unsent = useUnsent();
  const [isAsking, setIsAsking] = useState(false);
  const [search, setSearch] = useState("");
  const late = useLate(search.trim(), TYPED_MS);
  // What is emptied shows the conversations at once.
  const looked = search.trim() === "" ? "" : late;

  function signOut() {
    chat.outbox.clear();
    drafts.clear();
    // The device forgets the session even if the server can't be reached.
    const ended = chat.client.mutation(SignOutDocument, {}).toPromise();
    void Promise.race([ended, chat.patience.sleep(2_000)]).then(() => {
      replace(paths.rooms);
      session.end();
    });
  }

  return (
    <nav className={cx(styles.sidebar, className)} aria-label="Conversations">
      <header className={styles.header}>
        {data && (
          <>
            <Avatar people={[{ id: data.me.id, displayName: data.me.displayName }]} size="small" />
            <span className={cx("one-line", styles.name)} dir="auto">
              {data.me.displayName}
            </span>
          </>
        )}
        <span className={styles.space} />
        <MentionsLink />
        <a className={styles.new} href={paths.new} aria-label="New conversation" title="New conversation">
          <Icon name="compose" />
        </a>
        <NotificationsButton client={chat.client} />
        {!fromBackend && (
          <IconButton
            icon="sign-out"
            label="Sign out"
            onClick={() => {
              if (unsent.length > 0) setIsAsking(true);
              else signOut();
            }}
          />
        )}
      </header>
      <Search text={search} onChange={setSearch} />
      {looked === "" ? <RoomList /> : <Found key={looked} text={looked} />}
      {isAsking && (
        <ConfirmDialog
          title="Sign out?"
          text={`Messages that have not been sent yet will be lost: ${String(unsent.length)}.`}
          action="Sign out"
          onConfirm={signOut}
          onClose={() => {
            setIsAsking(false);
          }}
        />
      )}
    </nav>
  );
}
