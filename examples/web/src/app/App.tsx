import { useSyncExternalStore } from "react";
import { fromBackend, session } from "../session";
import { BackendSignIn } from "../session/BackendSignIn";
import { SignInPage } from "../session/SignInPage";
import { ChatApp } from "./ChatApp";

/** The chat of whom this device is signed in as, or the page to sign in. */
export function App() {
  const userId = useSyncExternalStore(subscribe, () => session.current()?.userId);
  if (userId !== undefined) return <ChatApp key={userId} userId={userId} />;
  return fromBackend ? <BackendSignIn fromBackend={fromBackend} /> : <SignInPage />;
}

function subscribe(changed: () => void) {
  return session.subscribe(changed);
}
