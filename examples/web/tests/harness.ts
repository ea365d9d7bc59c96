import {
  Client,
  makeErrorResult,
  makeResult,
  type DocumentInput,
  type Exchange,
  type Operation,
} from "@urql/core";
import { filter, makeSubject, map, mergeMap, merge, pipe, fromPromise, takeUntil, tap } from "wonka";
import { createCache } from "../src/graphql/cache";
import { replayExchange } from "../src/graphql/replay";
import type { EventsSubscription, RoomPartsFragment } from "../src/gql/graphql";
import { EventsDocument } from "../src/gql/graphql";

import type { ShownMessage } from "../src/conversation/timeline";

export type Event = EventsSubscription["events"];

export const ANN = "user_ann";
export const AT = "2025-01-31T12:00:00.000000Z";

/** A client with the app's cache, and a server whose answers and events the test gives. */
export function startClient(answers: Record<string, (variables: Record<string, unknown>) => object>) {
  const events = makeSubject<Event | "refused">();
  const gates = new Map<string, Promise<void>>();
  let subscribedAfter: unknown;
  const asked: string[] = [];
  const server: Exchange = () => (operations) => {
    const ofKind = (kind: Operation["kind"]) => filter((operation: Operation) => operation.kind === kind);
    const requests = pipe(
      operations,
      filter(({ kind }) => kind === "query" || kind === "mutation"),
      mergeMap((operation) => {
        const name = nameOf(operation.query);
        asked.push(name);
        const answer = answers[name];
        if (!answer) throw new Error(`the test has no answer to ${name}`);
        const given = answer(operation.variables as Record<string, unknown>);
        const data = (gates.get(name) ?? Promise.resolve()).then(() => given);
        return pipe(
          fromPromise(data),
          map((answered) => makeResult(operation, { data: answered as Record<string, unknown> })),
        );
      }),
    );
    const subscriptions = pipe(
      operations,
      ofKind("subscription"),
      tap(({ context }) => {
        subscribedAfter ??= context.after;
      }),
      mergeMap((operation) =>
        pipe(
          events.source,
          map((event) =>
            event === "refused"
              ? makeErrorResult(operation, new Error("refused"))
              : { ...makeResult(operation, { data: { events: event } }), hasNext: true },
          ),
          takeUntil(
            pipe(
              operations,
              ofKind("teardown"),
              filter(({ key }) => key === operation.key),
            ),
          ),
        ),
      ),
    );
    return merge([requests, subscriptions]);
  };
  const client = new Client({
    url: "/graphql",
    exchanges: [createCache(ANN), replayExchange, server],
    preferGetMethod: false,
  });
  return {
    client,
    /** Follows the events, for tests without `Sync`. */
    follow() {
      client.subscription(EventsDocument, {}).subscribe(() => undefined);
    },
    subscribedAfter: () => subscribedAfter,
    refuse: () => {
      events.next("refused");
    },
    /** Lets no answer to the document pass until the function that is answered is called. */
    hold(name: string) {
      let release: () => void = () => undefined;
      gates.set(name, new Promise((resolve) => (release = resolve)));
      return release;
    },
    /** The names of the documents that the server was asked. */
    asked,
    /** Ends when all that depends on the event was read anew. */
    async comes(event: Record<string, unknown>) {
      events.next({ cursor: "c", ...event } as Event);
      await settled();
    },
    watch<Data, Variables extends Record<string, unknown>>(
      document: DocumentInput<Data, Variables>,
      variables: Variables,
    ) {
      const shown: { data: Data | undefined } = { data: undefined };
      client.query(document, variables).subscribe(({ data }) => (shown.data = data));
      return shown;
    },
  };
}

function nameOf(document: Operation["query"]): string {
  const [first] = document.definitions;
  return first && "operation" in first ? (first.name?.value ?? "") : "";
}

export const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

export function person(id: string): NonNullable<RoomPartsFragment["members"]["nodes"][number]["user"]> {
  return {
    __typename: "User",
    id,
    username: id.replace("user_", ""),
    displayName: id.replace("user_", ""),
    type: "CONSUMER",
    presence: { __typename: "Presence", id: `presence_${id}`, online: false, lastSeenAt: null },
  };
}

export function message(room: string, seq: number, authorId: string): ShownMessage {
  return {
    __typename: "Message",
    id: `msg_${room}_${String(seq)}`,
    seq,
    body: `text ${String(seq)}`,
    clientId: `client_${String(seq)}`,
    createdAt: new Date(Date.parse(AT) + seq * 1_000).toISOString(),
    editedAt: null,
    deletedAt: null,
    author: { __typename: "User", id: authorId, displayName: authorId.replace("user_", "") },
    room: { __typename: "Room", id: room },
    replyToSeq: null,
    replyTo: null,
    mentions: [],
    mentionsRoom: false,
    reactions: [],
    attachments: [],
    viewer: { __typename: "MessageViewer", reactions: [] },
  };
}

export function edge(node: ShownMessage) {
  return { __typename: "MessageEdge" as const, cursor: `edge_${String(node.seq)}`, node };
}

export function room(id: string, last: ShownMessage | null): RoomPartsFragment {
  return {
    __typename: "Room",
    id,
    kind: "DIRECT",
    name: null,
    lastActivityAt: last?.createdAt ?? AT,
    lastMessage: last,
    viewer: {
      __typename: "RoomViewer",
      id: `viewer_${id}`,
      lastReadSeq: last?.seq ?? 0,
      unreadCount: 0,
      unreadFromSeq: null,
      unreadMentionCount: 0,
      muted: false,
      permissions: ["POST"],
    },
    members: {
      __typename: "RoomMemberConnection",
      nodes: [ANN, "user_bob"].map((user) => ({
        __typename: "RoomMember",
        id: `member_${id}_${user}`,
        user: person(user),
      })),
      pageInfo: { __typename: "PageInfo", hasNextPage: false },
    },
  };
}

export function roomsPage(nodes: RoomPartsFragment[], endCursor: string | null = null) {
  return {
    __typename: "RoomConnection" as const,
    nodes,
    pageInfo: { __typename: "PageInfo" as const, hasNextPage: endCursor !== null, endCursor },
  };
}

/** What `Conversation` answers: messages with the given numbers, by Bob. */
export function conversation(of: RoomPartsFragment, seqs: number[]) {
  return {
    room: {
      ...of,
      pinnedMessages: [],
      everybody: {
        ...of.members,
        nodes: of.members.nodes.map((member) => ({ ...member, lastReadSeq: 0 })),
      },
      messages: {
        __typename: "MessageConnection",
        edges: seqs.map((seq) => edge(message(of.id, seq, "user_bob"))),
      },
    },
  };
}
