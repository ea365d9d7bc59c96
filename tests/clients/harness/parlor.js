/** A Parlor of its own for each test file: the real binary on SQLite, in a directory that goes away with it. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after } from "node:test";

// A test file that takes too long is ended by a signal, and its servers with it.
process.once("SIGTERM", () => process.exit(1));

const START_MS = 60_000;
const STOP_MS = 20_000;

/** The binary: `PARLOR_BINARY`, or the debug build of this repository. */
export const binary =
  process.env.PARLOR_BINARY ?? fileURLToPath(new URL("../../../target/debug/parlor", import.meta.url));

/** With what all test servers sign, so that a test can make a token that has expired. */
export const TOKEN_SECRET = "a secret for tests, which signs nothing else";

/**
 * Starts a server on a free port, which ends with the tests of the file at the latest. Limits are off, unless
 * `settings` says otherwise. To be called at a file's top level: what is called in a hook ends with the hook.
 *
 * @param {Record<string, string>} [settings] more settings: `PARLOR_…` and their values
 */
export async function startParlor(settings = {}) {
  const directory = await mkdtemp(join(tmpdir(), "parlor-clients-"));
  const server = new Parlor(directory, settings);
  after(() => server.remove());
  await server.start("127.0.0.1:0");
  return server;
}

/** The environment without settings of whoever runs the tests. */
function withoutSettings() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PARLOR_")));
}

class Parlor {
  #directory;
  #settings;
  #process;
  #ended;
  /** All that the server has written so far. */
  log = "";
  /** Its port, the same after a restart. @type {number} */
  port = 0;

  constructor(directory, settings) {
    this.#directory = directory;
    this.#settings = settings;
  }

  /** A new server key. @param {string} name */
  addKey(name) {
    const env = { ...withoutSettings(), PARLOR_DATA_DIR: this.#directory };
    return execFileSync(binary, ["key", "add", name], { env, encoding: "utf8" }).trim();
  }

  /** Where its API is, by HTTP. */
  get url() {
    return `http://127.0.0.1:${this.port}/graphql`;
  }

  /** Where its API is, by WebSocket. */
  get socketUrl() {
    return `ws://127.0.0.1:${this.port}/graphql`;
  }

  /** @param {string} listen */
  async start(listen = `127.0.0.1:${this.port}`) {
    this.#process = spawn(binary, ["serve"], {
      cwd: this.#directory,
      env: {
        ...withoutSettings(),
        PARLOR_LISTEN: listen,
        PARLOR_DATA_DIR: this.#directory,
        PARLOR_TOKEN_SECRET: TOKEN_SECRET,
        PARLOR_LIMITS: "off",
        PARLOR_DRAIN_SECS: "0",
        ...this.#settings,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const child = this.#process;
    const orphaned = () => child.kill("SIGKILL");
    process.once("exit", orphaned);
    child.once("exit", () => process.off("exit", orphaned));
    const began = this.log.length;
    this.#ended = new Promise((resolve) => child.once("exit", resolve));
    const listening = new Promise((resolve, reject) => {
      const read = (chunk) => {
        this.log += chunk;
        const address = /listening on \S+:(\d+)/.exec(this.log.slice(began));
        if (address) resolve(Number(address[1]));
      };
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}:\n${this.log}`)));
      setTimeout(() => reject(new Error(`the server did not start:\n${this.log}`)), START_MS).unref();
    });
    this.port = await listening;
  }

  /** Ends it as an operator does, by SIGTERM; by SIGKILL when that takes too long. */
  async stop() {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await this.#ended;
    clearTimeout(late);
  }

  /** Ends it as a crash does, by SIGKILL. */
  async kill() {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }

  /** Stops it, and starts it again on the same port and data. */
  async restart() {
    await this.stop();
    await this.start();
  }

  /** Stops it and removes its data. */
  async remove() {
    await this.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
