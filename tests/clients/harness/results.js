/** What each client could do, for the table in docs/clients.md: a file in `results/clients/` per row. */
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { after, test } from "node:test";

const RESULTS = new URL("../results/clients/", import.meta.url);

/** The columns of the table, in order: what a client may be tried for. */
export const ABILITIES = ["request", "subscribe", "resume", "renew", "errors"];

/**
 * A row of the table. It is written when the tests of the file have ended, with the abilities whose tests all passed.
 *
 * @param {object} row
 * @param {number} row.order its place in the table
 * @param {string} row.client the package's name
 * @param {string} row.version
 * @param {string} row.transport how it reaches Parlor
 * @param {string[]} [row.lines] the modules in `snippets/` that a user has to write
 */
export function row({ order, client, version, transport, lines = [] }) {
  /** Of each ability that there are tests of, how many haven't passed. */
  const tests = new Map();
  const notes = [];
  after(async () => {
    await mkdir(RESULTS, { recursive: true });
    const result = { order, client, version, transport, works: ABILITIES.filter((it) => tests.get(it) === 0), notes, lines };
    const name = `${String(order).padStart(3, "0")}-${client.replaceAll(/[^a-z0-9-]+/gi, "_")}.json`;
    await writeFile(new URL(name, RESULTS), `${JSON.stringify(result, null, 2)}\n`);
  });
  return {
    /** A test that shows an ability of the client. */
    shows(ability, name, run) {
      if (!ABILITIES.includes(ability)) throw new Error(`no column ${ability}`);
      tests.set(ability, (tests.get(ability) ?? 0) + 1);
      test(name, async (context) => {
        await run(context);
        tests.set(ability, tests.get(ability) - 1);
      });
    },
    /** A test of something that has no column: `note` stands in the row once it has passed. */
    notes(note, name, run) {
      test(name, async (context) => {
        await run(context);
        notes.push(note);
      });
    },
  };
}

/** The version of an installed package. */
export function versionOf(name) {
  const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(manifest, "utf8")).version;
}
