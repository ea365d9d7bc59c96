/** People with accounts, who use the API by plain `fetch`: what a client under test is compared with. */
import { createHmac } from "node:crypto";
import WebSocket from "ws";
import { TOKEN_SECRET } from "./parlor.js";

export const PASSWORD = "correct horse battery";
const SESSION = "accessToken accessTokenExpiresAt refreshToken sessionId user { id username }";

/** Sends one operation, and answers the whole response. */
export async function request(url, { query, variables, token, headers = {} }) {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/graphql-response+json",
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify({ query, variables }),
  });
  return response.json();
}

/** A person with a session. */
export class Person {
  /** @param {{ url: string }} server */
  constructor(server, session) {
    this.server = server;
    this.session = session;
    this.id = session.user.id;
  }

  /** The data of an operation; an error of the server is one of the test. */
  async ask(query, variables) {
    const answer = await request(this.server.url, { query, variables, token: this.session.accessToken });
    if (answer.errors) throw new Error(`${query}: ${JSON.stringify(answer.errors)}`);
    return answer.data;
  }

  /** The id of the room with these people. @param {...Person} others */
  async open(...others) {
    const query = `mutation ($ids: [ID!]!) {
      initiateChat(userIds: $ids, type: CONSUMER_TO_CONSUMER) { room { id } }
    }`;
    return (await this.ask(query, { ids: others.map(({ id }) => id) })).initiateChat.room.id;
  }

  /** Posts, and answers the message. */
  async post(room, body) {
    const query = "mutation ($room: ID!, $body: String!) { postMessage(roomId: $room, body: $body) { message { id seq body } } }";
    return (await this.ask(query, { room, body })).postMessage.message;
  }

  /** Opens a socket, which makes the person online. */
  comeOnline() {
    this.socket = new WebSocket(this.server.socketUrl, "graphql-transport-ws");
    const payload = { authorization: `Bearer ${this.session.accessToken}` };
    this.socket.on("open", () => this.socket.send(JSON.stringify({ type: "connection_init", payload })));
    return new Promise((resolve, reject) => {
      this.socket.once("message", resolve);
      this.socket.once("error", reject);
    });
  }

  /** Closes the socket; others are notified five seconds later. */
  goOffline() {
    this.socket?.close();
  }

  /** Where the person's stream stands. */
  async syncCursor() {
    return (await this.ask("{ syncCursor }")).syncCursor;
  }

  /** A token of this session that expired a minute ago, as a device has after a night. */
  get expiredToken() {
    return expiring(this.session.accessToken, -60);
  }

  /** A token of this session that expires in so many seconds. */
  tokenFor(seconds) {
    return expiring(this.session.accessToken, seconds);
  }

  /** Another session of the same account. */
  async anotherDevice() {
    return signIn(this.server, this.session.user.username);
  }
}

/** Signs somebody up. */
export async function signUp(server, username, displayName = username) {
  const query = `mutation ($input: SignUpInput!) { signUp(input: $input) { ${SESSION} } }`;
  const variables = { input: { username, password: PASSWORD, displayName } };
  const { data, errors } = await request(server.url, { query, variables });
  if (errors) throw new Error(JSON.stringify(errors));
  return new Person(server, data.signUp);
}

/** Another session of an account with the password that all have here. */
export async function signIn(server, username) {
  const query = `mutation ($input: SignInInput!) { signIn(input: $input) { ${SESSION} } }`;
  const { data, errors } = await request(server.url, { query, variables: { input: { username, password: PASSWORD } } });
  if (errors) throw new Error(JSON.stringify(errors));
  return new Person(server, data.signIn);
}

/** Signs all of them up. */
export async function signUpAll(server, ...usernames) {
  return Promise.all(usernames.map((username) => signUp(server, username)));
}

/** The same token with another expiry, signed as the server signs. */
function expiring(token, seconds) {
  const [header, payload] = token.split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
  claims.exp = Math.floor(Date.now() / 1000) + seconds;
  claims.iat = Math.min(claims.iat, claims.exp - 1);
  const signed = `${header}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}`;
  return `${signed}.${createHmac("sha256", TOKEN_SECRET).update(signed).digest("base64url")}`;
}
