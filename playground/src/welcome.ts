/** What a newcomer finds in the editors. */

export const QUERY = `# Parlor's playground. A way to begin:
#
# 1. Put the cursor into SignUp, press
#    Ctrl-Enter, copy the accessToken.
# 2. Paste it under "Headers" below, behind
#    "Bearer ". It is valid for ten minutes.
# 3. Run Me, then Events, which shows what
#    happens from now on.
# 4. In another browser tab sign bob up,
#    InitiateChat with ann's id, and Post.
#
# The book in the corner has the whole API.

mutation SignUp {
  signUp(
    input: {
      username: "ann"
      displayName: "Ann"
      password: "a long password"
    }
  ) {
    accessToken
    user {
      id
    }
  }
}

query Me {
  me {
    id
    username
    displayName
  }
  rooms(first: 10) {
    nodes {
      id
      lastMessage {
        body
      }
      viewer {
        unreadCount
      }
    }
  }
}

subscription Events {
  events {
    __typename
    cursor
    ... on MessagePosted {
      message {
        id
        seq
        body
        author {
          username
        }
      }
    }
  }
}

mutation InitiateChat($userId: ID!) {
  initiateChat(
    userIds: [$userId]
    type: CONSUMER_TO_CONSUMER
  ) {
    room {
      id
    }
  }
}

mutation Post($roomId: ID!) {
  postMessage(roomId: $roomId, body: "Hello") {
    message {
      id
      seq
    }
  }
}
`;

export const HEADERS = `{
  "Authorization": "Bearer "
}`;
