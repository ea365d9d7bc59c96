/** What relay-compiler compiles; the test imports what it writes. */
import { graphql } from "relay-runtime";

export const room = graphql`
  query ChatRoomQuery($room: ID!) {
    me { username }
    room(id: $room) {
      id
      messages(last: 20) @connection(key: "Chat_messages") {
        edges { cursor node { id body } }
        pageInfo { hasPreviousPage startCursor }
      }
    }
  }
`;

export const post = graphql`
  mutation ChatPostMutation($room: ID!, $body: String!, $clientId: ID!) {
    postMessage(roomId: $room, body: $body, clientId: $clientId) { message { id body } }
  }
`;

export const events = graphql`
  subscription ChatEventsSubscription {
    events {
      __typename
      cursor
      ... on MessagePosted { message { id body room { id } } }
    }
  }
`;
