import type { MessagePartsFragment, OwnReactionsFragment } from "../gql/graphql";
import type { Unsent } from "../outbox/outbox";

/** A message as a conversation shows it. */
export type ShownMessage = MessagePartsFragment & OwnReactionsFragment;

/** A line of a conversation, from its top to its bottom. */
export type Line =
  | { kind: "day"; key: string; at: string }
  | { kind: "unread"; key: string; isByHand: boolean }
  | { kind: "message"; key: string; message: ShownMessage; place: Place }
  | { kind: "unsent"; key: string; unsent: Unsent; place: Place };

/** Where a bubble stands in a group of bubbles of one author. */
export interface Place {
  isOwn: boolean;
  isFirst: boolean;
  isLast: boolean;
}

const GROUP_MS = 5 * 60_000;

interface Bubble {
  key: string;
  at: string;
  authorId: string | null;
  line: (place: Place) => Line;
}

/** How far the viewer had read, and the newest message, when the conversation was opened. */
export interface Opened {
  readSeq: number;
  newestSeq: number;
}

interface Conversation {
  /** In the order of their numbers. */
  messages: readonly ShownMessage[];
  /** Of this room, the oldest first. */
  unsent: readonly Unsent[];
  viewerId: string;
  /** The first message that the viewer has marked as unread, if any. */
  unreadFromSeq: number | null;
  /** What was new when the conversation was opened. */
  opened: Opened;
}

/** Messages and what is still unsent, with days and groups. */
export function timeline({ messages, unsent, viewerId, unreadFromSeq, opened }: Conversation): Line[] {
  const posted = new Set(messages.map(({ clientId }) => clientId));
  const bubbles: Bubble[] = [
    ...messages.map((message): Bubble => {
      const authorId = message.author?.id ?? null;
      const key = keyOf(message, viewerId);
      return {
        key,
        at: message.createdAt,
        authorId,
        line: (place) => ({ kind: "message", key, message, place }),
      };
    }),
    ...unsent
      .filter(({ clientId }) => !posted.has(clientId))
      .map((entry): Bubble => ({
        key: entry.clientId,
        at: entry.createdAt,
        authorId: viewerId,
        line: (place) => ({ kind: "unsent", key: entry.clientId, unsent: entry, place }),
      })),
  ];
  const byHand = messages.find(({ seq }) => unreadFromSeq !== null && seq >= unreadFromSeq);
  const firstUnread =
    byHand ??
    messages.find(
      ({ seq, author, deletedAt }) =>
        seq > opened.readSeq && seq <= opened.newestSeq && author?.id !== viewerId && deletedAt === null,
    );
  const unreadKey = firstUnread && keyOf(firstUnread, viewerId);

  const lines: Line[] = [];
  bubbles.forEach((bubble, index) => {
    const [before, after] = [bubbles[index - 1], bubbles[index + 1]];
    if (!before || dayOf(before) !== dayOf(bubble)) {
      lines.push({ kind: "day", key: dayOf(bubble), at: bubble.at });
    }
    const isUnread = (of: Bubble | undefined) => unreadKey !== undefined && of?.key === unreadKey;
    if (isUnread(bubble)) lines.push({ kind: "unread", key: "unread", isByHand: byHand !== undefined });
    lines.push(
      bubble.line({
        isOwn: bubble.authorId === viewerId,
        isFirst: !before || !isTogether(before, bubble) || isUnread(bubble),
        isLast: !after || !isTogether(bubble, after) || isUnread(after),
      }),
    );
  });
  return lines;
}

/** The bubble stays the same when an unsent message becomes a posted one. */
function keyOf({ id, author, clientId }: ShownMessage, viewerId: string): string {
  return author?.id === viewerId && clientId !== null ? clientId : id;
}

function isTogether(one: Bubble, next: Bubble): boolean {
  return (
    one.authorId !== null &&
    one.authorId === next.authorId &&
    dayOf(one) === dayOf(next) &&
    Date.parse(next.at) - Date.parse(one.at) < GROUP_MS
  );
}

function dayOf({ at }: Bubble): string {
  return new Date(at).toDateString();
}
