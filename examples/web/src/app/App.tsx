import { useSyncExternalStore } from "react";
import { session } from "../session";
import { SignInPage } from "../session/SignInPage";
import { ChatApp } from "./ChatApp";

/** The chat of whom this device is signed in as, or the page to sign in. */
export function App() {
  const userId = useSyncExternalStore(subscribe, () => session.current()?.userId);
  return userId === undefined ? <SignInPage /> : <ChatApp key={userId} userId={userId} />;
}

function subscribe(changed: () => void) {
  return session.subscribe(changed);
}
