import type { Client } from "@urql/core";
import { PushKeyDocument, RegisterDeviceDocument } from "../gql/graphql";
import worker from "./worker?worker&url";

/** Whether this browser shows notifications while no page is open. */
export const canPush = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

/** What the user has said to notifications. */
export function permission(): NotificationPermission {
  return canPush ? Notification.permission : "denied";
}

/** Has this browser be notified, as is to be done at each start: either side may have forgotten the other. */
export async function register(client: Client) {
  const registration = await active();
  const { data, error } = await client.query(PushKeyDocument, {}).toPromise();
  if (error) throw error;
  const applicationServerKey = data?.viewer.applicationServerKey;
  if (applicationServerKey == null) return;
  const push = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey });
  const { endpoint, keys } = push.toJSON();
  if (endpoint === undefined || keys === undefined) return;
  const input = {
    platform: "WEB_PUSH" as const,
    token: endpoint,
    p256dh: keys.p256dh ?? null,
    auth: keys.auth ?? null,
  };
  const registered = await client.mutation(RegisterDeviceDocument, { input }).toPromise();
  if (registered.error) throw registered.error;
}

/** The worker's registration, once it works. `ready` waits for one whose scope this page is in. */
async function active(): Promise<ServiceWorkerRegistration> {
  const registration = await navigator.serviceWorker.register(worker, {
    type: import.meta.env.DEV ? "module" : "classic",
  });
  const starting = registration.installing ?? registration.waiting;
  if (registration.active || !starting) return registration;
  await new Promise<void>((resolve) => {
    starting.addEventListener("statechange", () => {
      if (starting.state === "activated") resolve();
    });
  });
  return registration;
}

/** Shows rooms in this page whose notifications were clicked. Returns what ends it. */
export function openClicked(go: (url: string) => void) {
  if (!canPush) return () => undefined;
  const clicked = ({ data }: MessageEvent) => {
    const { open } = data as { open?: unknown };
    if (typeof open === "string") go(open);
  };
  navigator.serviceWorker.addEventListener("message", clicked);
  return () => {
    navigator.serviceWorker.removeEventListener("message", clicked);
  };
}
