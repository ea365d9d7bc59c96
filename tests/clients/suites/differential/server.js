/** The server's answers to raw requests, over each transport. */
import WebSocket from "ws";

/** The body of a request, as its text is sent. */
export function body({ query, variables, operationName }) {
  const members = [`"query":${JSON.stringify(query)}`];
  if (operationName !== undefined) members.push(`"operationName":${JSON.stringify(operationName)}`);
  if (variables !== undefined) members.push(`"variables":${variables}`);
  return `{${members.join(",")}}`;
}

/** By POST: the response, with its status. */
export async function post(url, token, request) {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/graphql-response+json",
      authorization: `Bearer ${token}`,
    },
    body: body(request),
  });
  return { status: response.status, ...JSON.parse(await response.text()) };
}

/** A socket for many operations, one after the other or side by side. */
export class Socket {
  #socket;
  #operations = new Map();
  #last = 0;
  closed = null;

  /** @param {string} url */
  static async open(url, token) {
    const socket = new WebSocket(url, "graphql-transport-ws");
    await new Promise((resolve, reject) => {
      socket.once("open", () => socket.send(JSON.stringify({ type: "connection_init", payload: { authorization: `Bearer ${token}` } })));
      socket.once("error", reject);
      socket.once("message", resolve);
    });
    return new Socket(socket);
  }

  constructor(socket) {
    this.#socket = socket;
    socket.on("message", (text) => this.#receive(JSON.parse(text)));
    socket.on("close", (code, reason) => {
      this.closed = `${code} ${reason}`;
      for (const settle of this.#operations.values()) settle({ closed: this.closed });
    });
  }

  #receive({ type, id, payload }) {
    const settle = this.#operations.get(id);
    if (!settle) {
      if (type === "ping") this.#socket.send('{"type":"pong"}');
      return;
    }
    if (type === "error") settle({ errors: payload });
    else settle(type === "next" ? payload : { complete: true });
  }

  /** The first response of an operation; a subscription is ended then. */
  async first(request) {
    const id = String((this.#last += 1));
    const answer = new Promise((resolve) => this.#operations.set(id, resolve));
    this.#socket.send(`{"id":"${id}","type":"subscribe","payload":${body(request)}}`);
    const first = await answer;
    this.#operations.delete(id);
    if (!this.closed && !first.errors?.length) this.#socket.send(JSON.stringify({ id, type: "complete" }));
    return first;
  }

  close() {
    this.#socket.close();
  }
}
