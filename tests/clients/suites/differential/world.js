/** What the requests are about: three people, two rooms, some messages. */
import { signUpAll } from "../../harness/people.js";
import { Socket } from "./server.js";

export class World {
  #server;
  #ann;
  #ids;
  /** @type {Socket} */
  socket;

  static async of(server) {
    const [ann, bob, cay] = await signUpAll(server, "ann", "bob", "cay");
    const [room, other] = [await ann.open(bob), await ann.open(bob, cay)];
    for (const body of ["one", "two", "three"]) await ann.post(other, body);
    const message = await ann.post(room, "one");
    const world = new World(server, ann, { ROOM: room, USER: bob.id, MESSAGE: message.id });
    await world.connect();
    return world;
  }

  constructor(server, ann, ids) {
    this.#server = server;
    this.#ann = ann;
    this.#ids = ids;
  }

  get url() {
    return this.#server.url;
  }

  get token() {
    return this.#ann.session.accessToken;
  }

  /** Opens the socket, anew if the server has closed it. */
  async connect() {
    if (!this.socket || this.socket.closed) this.socket = await Socket.open(this.#server.socketUrl, this.token);
  }

  /** A request with ids for the words that stand for them. */
  filled(request) {
    const fill = (text) => text?.replaceAll(/\b(ROOM|USER|MESSAGE)(\\?")/g, (_, word, quote) => this.#ids[word] + quote);
    return { ...request, query: fill(request.query), variables: fill(request.variables) };
  }

  /** Posts to the room, which must not be muted, or not every subscription would receive it. */
  async post() {
    await this.#ann.ask("mutation ($room: ID!) { muteRoom(roomId: $room, muted: false) { room { id } } }", { room: this.#ids.ROOM });
    return this.#ann.post(this.#ids.ROOM, "again");
  }

  async lastSeq() {
    const { room } = await this.#ann.ask("query ($id: ID!) { room(id: $id) { lastMessage { seq } } }", { id: this.#ids.ROOM });
    return room.lastMessage.seq;
  }
}
