import { graphql } from "relay-runtime";

export const roomsQuery = graphql`
  query roomsQuery($count: Int!) {
    me {
      id
      ...rooms_person
    }
    ...rooms_list @arguments(count: $count)
  }
`;

export const roomsList = graphql`
  fragment rooms_list on Query
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" })
  @refetchable(queryName: "roomsPaginationQuery") {
    syncCursor
    rooms(first: $count, after: $cursor) @connection(key: "rooms_rooms") {
      edges {
        node {
          id
          ...rooms_row
        }
      }
    }
  }
`;

export const roomsRow = graphql`
  fragment rooms_row on Room {
    type
    lastActivityAt
    viewer {
      unreadCount
      muted
    }
    lastMessage {
      ...messages_message
    }
  }
`;

export const roomsPerson = graphql`
  fragment rooms_person on User {
    displayName
    presence {
      online
    }
  }
`;

export const roomsUsers = graphql`
  fragment rooms_users on Query
  @argumentDefinitions(
    count: { type: "Int", defaultValue: 10 }
    cursor: { type: "String" }
    search: { type: "String", defaultValue: "" }
  )
  @refetchable(queryName: "usersPaginationQuery") {
    users(first: $count, after: $cursor, search: $search) @connection(key: "rooms_users", filters: ["search"]) {
      edges {
        node {
          ...rooms_person
        }
      }
    }
  }
`;

export const usersQuery = graphql`
  query roomsUsersQuery($search: String) {
    ...rooms_users @arguments(search: $search)
  }
`;
