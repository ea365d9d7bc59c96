import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { graphql, useFragment } from "./client/index.js";
import { EventsDocument, MessageInRoomFragmentDoc, PostMessageDocument, RoomMessagesDocument, SignUpDocument } from "./client/graphql.js";
import type { EventsSubscription } from "./client/graphql.js";
import type { RoomsQuery, RoomsQueryVariables } from "./operations.js";
import { RoomType } from "./types.js";
import type { RoomType as OfClient } from "./client/graphql.js";

declare function run<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data>;

export async function use(): Promise<string> {
  const { signUp } = await run(SignUpDocument, { input: { username: "ann", password: "correct horse", displayName: "Ann" } });
  void signUp;
  const { postMessage } = await run(PostMessageDocument, { roomId: "room_1", body: "hello" });
  const message = useFragment(MessageInRoomFragmentDoc, postMessage.message);
  const { room } = await run(RoomMessagesDocument, { id: "room_1", last: 10, before: null });
  const cursor: string | undefined = room?.messages.edges[0]?.cursor;
  return `${message.seq.toFixed(0)} ${message.author?.[" $fragmentRefs"] ? "known" : ""} ${cursor ?? ""}`;
}

export function cursorOf(data: EventsSubscription): string {
  const { events } = data;
  return events.__typename === "RoomLeft" ? events.roomId : events.cursor;
}

export const variables: RoomsQueryVariables = { first: 5 };
export const first = (data: RoomsQuery): string | undefined => data.rooms.nodes[0]?.id;
export const kind: RoomType = RoomType.ConsumerToConsumer;
export const ofClient: OfClient = "CONSUMER_TO_CONSUMER";
export const subscription = EventsDocument;
export const known = graphql;
