/** Failures of suites that are known, each with its reason: `known-failures.json`. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

/** @type {{ suite: string, failure: string, reason: string }[]} */
const known = JSON.parse(readFileSync(new URL("../known-failures.json", import.meta.url), "utf8"));

/**
 * Compares what failed with what is known to fail: another failure is one, and so is a known one that doesn't fail any
 * more.
 *
 * @param {string} suite
 * @param {Map<string, unknown>} failed by the failure's name, what is to be shown of it
 */
export function assertOnlyKnown(suite, failed) {
  const listed = new Set(known.filter((it) => it.suite === suite).map(({ failure }) => failure));
  const unknown = [...failed].filter(([name]) => !listed.has(name));
  const mended = [...listed].filter((name) => !failed.has(name));
  assert.equal(unknown.length + mended.length, 0, [
    ...unknown.map(([name, shown]) => `not in known-failures.json: ${name}\n${shown}`),
    ...mended.map((name) => `in known-failures.json, but it works: ${name}`),
  ].join("\n"));
}
