import type { Client } from "@urql/core";
import { ROOMS_PAGE } from "../pages";
import {
  EventsDocument,
  PresencesDocument,
  RoomSummaryDocument,
  StartDocument,
  type EventsSubscription,
  type MessagePartsFragment,
  type StartQuery,
} from "../gql/graphql";
import { isRepeated } from "../graphql/replay";
import type { Patience } from "../graphql/patience";
import type { Connection } from "./connection";
import type { ShownPresence } from "./presence";
import type { Typing } from "./typing";

type Event = EventsSubscription["events"];

/** `nodes` takes so many. */
const MAX_IDS = 100;
/** As patient as after so many retries: some seconds. */
const RETRIES_BEFORE_RESYNC = 3;

interface Parts {
  client: Client;
  viewerId: string;
  connection: Connection;
  typing: Typing;
  presence: ShownPresence;
  patience: Pick<Patience, "wait">;
  /** The viewer's own message has arrived, so that the outbox needn't send it any more. */
  posted: (clientId: string) => void;
  /** Everything that is shown has to be fetched anew, by a new client with an empty cache. */
  resync: () => void;
}

/**
 * Follows the events: begins at the cursor that was read together with the first screen, and does what an event asks for
 * besides changing the cache, which `graphql/updates.ts` does before.
 */
export class Sync {
  #parts: Parts;
  #ended = false;
  /** Rooms that are being fetched, and whether something has happened in them since. */
  #fetching = new Map<string, boolean>();
  #unsubscribe: (() => void) | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Fetches what the first screen shows, as often as it takes, and subscribes. */
  async start(failed: (error: unknown) => void): Promise<void> {
    const { client, patience } = this.#parts;
    for (let tries = 0; !this.#isEnded(); tries += 1) {
      const { data, error } = await client
        .query(StartDocument, { first: ROOMS_PAGE }, { requestPolicy: "network-only" })
        .toPromise();
      if (data) {
        if (!this.#isEnded()) this.#follow(data);
        return;
      }
      failed(error);
      await patience.wait(tries);
    }
  }

  end() {
    this.#ended = true;
    this.#unsubscribe?.();
  }

  #isEnded(): boolean {
    return this.#ended;
  }

  #follow({ syncCursor }: StartQuery) {
    const { client } = this.#parts;
    const subscription = client
      .subscription(EventsDocument, {}, { after: syncCursor })
      .subscribe((result) => {
        const { data, hasNext } = result;
        // An event that can't be shown has no data, and is left out; the next ones come.
        if (data && !isRepeated(result)) this.#handle(data.events);
        if (!hasNext) void this.#again();
      });
    this.#unsubscribe = () => {
      subscription.unsubscribe();
    };
  }

  /** The subscription was refused, or has ended, which a cut doesn't do: everything begins anew. */
  async #again() {
    if (this.#isEnded()) return;
    await this.#parts.patience.wait(RETRIES_BEFORE_RESYNC);
    if (!this.#isEnded()) this.#parts.resync();
  }

  #handle(event: Event) {
    const { viewerId, typing, connection, posted, resync } = this.#parts;
    switch (event.__typename) {
      case "MessagePosted": {
        const { author, clientId, room } = event.messageEdge.node;
        if (author) typing.set(room.id, author, false);
        if (author?.id === viewerId && clientId !== null) posted(clientId);
        void this.#fetchRoom(room.id, "cache-first");
        break;
      }
      case "MessageEdited":
        // It may mention the viewer now, or no longer.
        this.#fetchMentions(event.message);
        break;
      case "MessageDeleted":
        // It may have counted as unread.
        if (event.message.author?.id !== viewerId)
          void this.#fetchRoom(event.message.room.id, "network-only");
        break;
      case "ReadMarksMoved":
        if (event.marks.some(({ user }) => user.id === viewerId)) this.#fetchUnread(event.room.id);
        break;
      case "RoomJoined":
      case "MemberJoined":
      case "MemberLeft":
      case "MembersJoined":
      case "MemberChanged":
      case "RoomUpdated": // What the viewer may do may have changed with it.
      case "RoomGap":
        void this.#fetchRoom(event.room.id, "network-only");
        break;
      case "TypingChanged":
        typing.set(event.room.id, event.user, event.isTyping);
        break;
      case "Synced":
        typing.clear();
        connection.set("live");
        void this.#fetchPresence();
        break;
      case "ResyncRequired":
        resync();
        break;
      default: // The cache has changed, and nothing else is to be done. Or the event is one of a later server.
        break;
    }
  }

  /**
   * With `cache-first`, does nothing for a room that the cache has. A room that is being fetched is fetched once more
   * afterwards, because the server may have read it before the event happened.
   */
  async #fetchRoom(id: string, requestPolicy: "cache-first" | "network-only") {
    if (this.#fetching.has(id)) {
      this.#fetching.set(id, true);
      return;
    }
    this.#fetching.set(id, false);
    await this.#parts.client.query(RoomSummaryDocument, { id }, { requestPolicy }).toPromise();
    const again = this.#fetching.get(id);
    this.#fetching.delete(id);
    if (again && !this.#isEnded()) await this.#fetchRoom(id, "network-only");
  }

  /** The viewer has read on elsewhere: how many are still unread is known to the server, unless it is none. */
  #fetchUnread(id: string) {
    const room = this.#parts.client.readQuery(RoomSummaryDocument, { id })?.data?.room;
    if (room && room.viewer.unreadCount > 0) void this.#fetchRoom(id, "network-only");
  }

  #fetchMentions({ room: { id }, seq, author }: Pick<MessagePartsFragment, "room" | "seq" | "author">) {
    const room = this.#parts.client.readQuery(RoomSummaryDocument, { id })?.data?.room;
    const isUnread = room && seq >= (room.viewer.unreadFromSeq ?? room.viewer.lastReadSeq + 1);
    if (isUnread && author?.id !== this.#parts.viewerId) void this.#fetchRoom(id, "network-only");
  }

  async #fetchPresence() {
    const ids = this.#parts.presence.ids();
    for (let from = 0; from < ids.length; from += MAX_IDS) {
      const variables = { ids: ids.slice(from, from + MAX_IDS) };
      await this.#parts.client
        .query(PresencesDocument, variables, { requestPolicy: "network-only" })
        .toPromise();
    }
  }
}
