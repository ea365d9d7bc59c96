import { graphql } from "relay-runtime";

export const messagesQuery = graphql`
  query messagesQuery($room: ID!, $withMembers: Boolean = true, $withReceipts: Boolean!) {
    room(id: $room) {
      ...messages_room @arguments(withReceipts: $withReceipts)
      ...messages_members @include(if: $withMembers) @alias
    }
  }
`;

export const messagesRoom = graphql`
  fragment messages_room on Room
  @argumentDefinitions(
    count: { type: "Int", defaultValue: 2 }
    cursor: { type: "String" }
    withReceipts: { type: "Boolean", defaultValue: false }
  )
  @refetchable(queryName: "messagesPaginationQuery") {
    messages(last: $count, before: $cursor) @connection(key: "messages_messages") {
      edges {
        node {
          ...messages_message
          readBy @include(if: $withReceipts) {
            user {
              ...rooms_person
            }
          }
        }
      }
    }
  }
`;

export const messagesMembers = graphql`
  fragment messages_members on Room
  @argumentDefinitions(count: { type: "Int", defaultValue: 1 }, cursor: { type: "String" })
  @refetchable(queryName: "membersPaginationQuery") {
    members(first: $count, after: $cursor) @connection(key: "messages_members") {
      edges {
        node {
          lastReadSeq
          user {
            ...rooms_person
          }
        }
      }
    }
  }
`;

export const message = graphql`
  fragment messages_message on Message {
    seq
    body
    createdAt
    author {
      ...rooms_person
    }
  }
`;

export const postMessage = graphql`
  mutation messagesPostMutation($room: ID!, $body: String!, $clientId: ID, $connections: [ID!]!) {
    postMessage(roomId: $room, body: $body, clientId: $clientId) {
      message @appendNode(connections: $connections, edgeTypeName: "MessageEdge") {
        ...messages_message
      }
    }
  }
`;

export const markRead = graphql`
  mutation messagesMarkReadMutation($room: ID!, $seq: Int!) @raw_response_type {
    markRead(roomId: $room, seq: $seq) {
      room {
        ...rooms_row
      }
    }
  }
`;
