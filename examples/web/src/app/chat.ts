import type { Client } from "@urql/core";
import { API_URL, SOCKET_URL } from "../config";
import { sendFile } from "../files/send-file";
import { Uploads } from "../files/uploads";
import { createCache } from "../graphql/cache";
import { createUrql } from "../graphql/client";
import { failureOf, type Failure } from "../graphql/failure";
import { Patience } from "../graphql/patience";
import { createSocket } from "../graphql/socket";
import { newId } from "../outbox/new-id";
import { Outbox } from "../outbox/outbox";
import { send } from "../outbox/send";
import { session } from "../session";
import { lock } from "../session/lock";
import { Connection } from "../sync/connection";
import { LookedAt } from "../sync/looked-at";
import { ShownPresence } from "../sync/presence";
import { Sync } from "../sync/sync";
import { Typing } from "../sync/typing";

/** Everything that lives as long as somebody is signed in. */
export class Chat {
  readonly viewerId: string;
  readonly connection = new Connection();
  readonly typing = new Typing();
  readonly presence = new ShownPresence();
  readonly lookedAt = new LookedAt();
  readonly patience = new Patience();
  readonly outbox: Outbox;
  readonly uploads: Uploads;
  /** Another one after a resync. */
  client: Client;
  /** Why the first screen can't be fetched; it is tried again by itself. */
  startFailure: Failure | undefined;
  #sync: Sync | undefined;
  #socket: ReturnType<typeof createSocket>;
  #listeners = new Set<() => void>();

  constructor(viewerId: string) {
    this.viewerId = viewerId;
    const { wait, sleep } = this.patience;
    this.#socket = createSocket({ url: SOCKET_URL, session, wait });
    this.#socket.on("connecting", () => {
      if (this.connection.state === "offline") this.connection.lost();
    });
    this.#socket.on("connected", () => {
      this.connection.set("catching-up");
      this.patience.now();
      void this.outbox.send();
    });
    this.#socket.on("closed", () => {
      this.connection.lost();
    });
    this.client = this.#createClient();
    this.outbox = new Outbox({
      storage: window.localStorage,
      userId: viewerId,
      send: (message) => send(this.client, message),
      wait,
      sleep,
      lock,
      newId,
      now: () => new Date(),
    });
    this.uploads = new Uploads({
      send: (file, progress) => sendFile(this.client, file, progress),
      wait,
      newKey: newId,
    });
  }

  start() {
    void this.outbox.send();
    this.#follow();
  }

  end() {
    this.#sync?.end();
    this.outbox.end();
    this.uploads.end();
    this.#socket.dispose();
    this.patience.dispose();
  }

  /** Calls back when `client` or `startFailure` has changed. */
  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #createClient() {
    return createUrql({ url: API_URL, session, socket: this.#socket, cache: createCache(this.viewerId) });
  }

  #follow() {
    const { client, viewerId, connection, typing, presence, patience, outbox } = this;
    this.#sync = new Sync({
      client,
      viewerId,
      connection,
      typing,
      presence,
      patience,
      posted: (clientId) => {
        outbox.remove(clientId);
      },
      resync: () => {
        this.#sync?.end();
        this.connection.set("catching-up");
        this.client = this.#createClient();
        this.#follow();
        this.#changed();
      },
    });
    void this.#sync
      .start((error) => {
        this.startFailure = failureOf(error);
        this.#changed();
      })
      .then(() => {
        this.startFailure = undefined;
        this.#changed();
      });
  }

  #changed() {
    for (const listener of [...this.#listeners]) listener();
  }
}
