import { graphql } from "relay-runtime";

export const eventsSubscription = graphql`
  subscription eventsSubscription($after: Cursor) {
    ...events_root @arguments(after: $after)
  }
`;

export const eventsRoot = graphql`
  fragment events_root on Subscription @argumentDefinitions(after: { type: "Cursor" }) {
    ...events_nested @arguments(after: $after)
  }
`;

export const eventsNested = graphql`
  fragment events_nested on Subscription @argumentDefinitions(after: { type: "Cursor" }) {
    events(after: $after) {
      __typename
      cursor
      ...events_posted @alias
      ... on MemberLeft {
        room {
          ...messages_members
        }
        userId
      }
    }
  }
`;

export const eventsPosted = graphql`
  fragment events_posted on MessagePosted {
    message {
      ...messages_message
      room {
        id
        lastActivityAt
      }
    }
  }
`;

export const eventsMessages = graphql`
  subscription eventsMessagesSubscription($room: ID, $connections: [ID!]!) {
    messagePosted(roomId: $room) @appendNode(connections: $connections, edgeTypeName: "MessageEdge") {
      ...messages_message
      cursor
    }
  }
`;
