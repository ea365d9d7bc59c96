/** What each suite printed, for the table in docs/clients.md: a file in `results/suites/` per suite. */
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";

const RESULTS = new URL("../../results/suites/", import.meta.url);

/**
 * @param {object} row
 * @param {number} row.order its place in the table
 * @param {string} row.suite the package's name
 * @param {string} row.version
 * @param {string} row.printed its own summary
 */
export async function report(row) {
  await mkdir(RESULTS, { recursive: true });
  const name = `${String(row.order).padStart(3, "0")}-${row.suite.replaceAll(/[^a-z0-9-]+/gi, "_")}.json`;
  await writeFile(new URL(name, RESULTS), `${JSON.stringify(row, null, 2)}\n`);
  console.log(`${row.suite} ${row.version}: ${row.printed}`);
}

/** The version of an installed package. */
export function versionOf(name) {
  const places = ["../node_modules/", "../../node_modules/"].map((path) => new URL(`${path}${name}/package.json`, import.meta.url));
  for (const place of places) {
    try {
      return JSON.parse(readFileSync(place, "utf8")).version;
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  throw new Error(`${name} is not installed`);
}
