/**
 * Shows notifications, also while no page of the app is open. It is built as a file of its own, and sees nothing of the
 * page's.
 */
/// <reference lib="webworker" />

/** What Parlor pushes. */
interface Pushed {
  type: "MESSAGE" | "CLEAR";
  roomId: string;
  badge: number;
  room?: string;
  author?: string;
  body?: string;
}

const worker = self as unknown as ServiceWorkerGlobalScope;
/** The worker is below `assets/`, beside which the app is. */
const APP = new URL("../", worker.location.href).href;

worker.addEventListener("install", () => void worker.skipWaiting());

worker.addEventListener("push", (event) => {
  const pushed = event.data?.json() as Pushed | undefined;
  if (pushed) event.waitUntil(show(pushed));
});

async function show({ type, roomId, room, author, body, badge }: Pushed) {
  // Not every browser has one, and none must keep the notification from being shown.
  if ("setAppBadge" in worker.navigator) await worker.navigator.setAppBadge(badge).catch(() => undefined);
  if (type === "CLEAR") {
    const shown = await worker.registration.getNotifications({ tag: roomId });
    for (const notification of shown) notification.close();
    return;
  }
  const text = room !== undefined && author !== undefined && body !== undefined ? `${author}: ${body}` : body;
  await worker.registration.showNotification(room ?? author ?? "New message", {
    ...(text === undefined ? {} : { body: text }),
    tag: roomId,
    data: { roomId },
  });
}

worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { roomId } = event.notification.data as { roomId: string };
  event.waitUntil(open(`${APP}#/rooms/${encodeURIComponent(roomId)}`));
});

/** Shows the room in a page of the app that is open, or in a new one. */
async function open(url: string) {
  const pages = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find((page) => page.url.startsWith(APP));
  if (!page) {
    await worker.clients.openWindow(url);
    return;
  }
  page.postMessage({ open: url });
  // A browser may keep its windows in their order.
  await page.focus().catch(() => undefined);
}
