import { useEffect, useState } from "react";
import type { Client } from "@urql/core";
import { IconButton } from "../ui/IconButton";
import { canPush, openClicked, permission, register } from "./push";

/** Asks for notifications, until the user has said something to that. */
export function NotificationsButton({ client }: { client: Client }) {
  const [said, setSaid] = useState(permission);

  useEffect(() => {
    if (said === "granted") {
      // The app works without; the next start tries again.
      register(client).catch((error: unknown) => {
        console.info("this browser is not notified", error);
      });
    }
  }, [client, said]);
  useEffect(
    () =>
      openClicked((url) => {
        window.location.assign(url);
      }),
    [],
  );

  if (!canPush || said !== "default") return null;
  return (
    <IconButton
      icon="bell"
      label="Turn on notifications"
      onClick={() => {
        void Notification.requestPermission().then(setSaid);
      }}
    />
  );
}
