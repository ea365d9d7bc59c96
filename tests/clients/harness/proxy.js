/** A TCP proxy whose connections can be cut, at any byte. */
import { connect, createServer } from "node:net";
import { after } from "node:test";

/** Starts a proxy in front of a server, which ends with the tests of the file at the latest. To be called at a file's top level. */
export async function startProxy(server) {
  const proxy = new Proxy(server);
  await proxy.start();
  after(() => proxy.stop());
  return proxy;
}

class Proxy {
  #server;
  #listener;
  #pairs = new Set();
  #refuses = false;
  /** Connections that were made. */
  connections = 0;
  /** Connections that were cut. */
  cuts = 0;
  port = 0;

  constructor(server) {
    this.#server = server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}/graphql`;
  }

  get socketUrl() {
    return `ws://127.0.0.1:${this.port}/graphql`;
  }

  async start() {
    this.#listener = createServer((near) => this.#carry(near));
    await new Promise((resolve) => this.#listener.listen(0, "127.0.0.1", resolve));
    this.port = this.#listener.address().port;
  }

  #carry(near) {
    if (this.#refuses) return near.resetAndDestroy();
    const far = connect(this.#server.port, "127.0.0.1");
    const pair = { bytes: Infinity, isSilent: false, near, far, end: () => { near.destroy(); far.destroy(); this.#pairs.delete(pair); } };
    this.#pairs.add(pair);
    this.connections += 1;
    near.pipe(far);
    far.on("data", (chunk) => {
      if (pair.isSilent) return;
      if (chunk.length < pair.bytes) {
        pair.bytes -= chunk.length;
        near.write(chunk);
        return;
      }
      this.cuts += 1;
      far.pause();
      // What was written before the cut is to arrive, and the frame that it ends in to stay incomplete.
      near.write(chunk.subarray(0, pair.bytes), () => { near.resetAndDestroy(); pair.end(); });
    });
    for (const side of [near, far]) {
      side.on("error", pair.end);
      side.on("close", pair.end);
    }
  }

  /** Cuts each open connection once the server has sent up to `bytes` bytes more, how many is left to chance. */
  cutSoon(bytes = 2000) {
    for (const pair of this.#pairs) pair.bytes = Math.min(pair.bytes, 1 + Math.floor(Math.random() * bytes));
  }

  /** Lets nothing of the server through any more on the connections that are open, as when a network is gone. */
  silence() {
    for (const pair of this.#pairs) pair.isSilent = true;
  }

  /** Cuts all connections, and takes no new one. */
  refuse() {
    this.#refuses = true;
    this.cut();
  }

  /** Takes connections again. */
  accept() {
    this.#refuses = false;
  }

  /** Cuts all connections immediately. */
  cut() {
    for (const pair of [...this.#pairs]) {
      this.cuts += 1;
      pair.near.resetAndDestroy();
      pair.end();
    }
  }

  async stop() {
    for (const pair of [...this.#pairs]) pair.end();
    await new Promise((resolve) => this.#listener.close(resolve));
  }
}
