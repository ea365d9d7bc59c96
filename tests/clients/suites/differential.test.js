/**
 * Parlor against graphql-js, request by request: what graphql-js refuses, Parlor refuses before anything runs; what it
 * takes, Parlor takes, and answers with the fields that graphql-js would, in its order.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startParlor } from "../harness/parlor.js";
import { handwritten } from "./differential/cases.js";
import { compare } from "./differential/compare.js";
import { generated } from "./differential/generate.js";
import { World } from "./differential/world.js";
import { assertOnlyKnown } from "./harness/known.js";
import { report, versionOf } from "./harness/report.js";

const FULL = process.env.SUITES_FULL === "1";
/** Documents by chance, and what they are made from. */
const [DOCUMENTS, SEED] = FULL ? [4_000, Number(process.env.SUITES_SEED ?? Date.now() % 1_000_000)] : [400, 1];

const server = await startParlor();
const world = await World.of(server);

/** Compares each request, twice: the second time the document comes from the server's cache. */
async function compareAll(requests, over) {
  const failed = new Map();
  const count = { ran: 0, refused: 0, limited: 0 };
  for (const request of requests) {
    for (const _ of ["first", "again"]) {
      await world.connect();
      const { difference, ran, limit } = await compare(world, world.filled(request), over);
      count[limit ? "limited" : ran ? "ran" : "refused"] += 1;
      if (!difference) continue;
      const name = [request.query, request.variables, request.operationName].filter((it) => it !== undefined).join(" ");
      failed.set(name, `  graphql-js: ${difference.oracle}\n  Parlor:     ${difference.server}`);
      break;
    }
  }
  return { failed, count };
}

let requestCount = 0;
let differenceCount = 0;

async function judged(requests, over, suite, atLeast) {
  const { failed, count } = await compareAll(requests, over);
  requestCount += requests.length;
  differenceCount += failed.size;
  // Most must be within the limits, and many run and many be refused, or nothing is shown.
  const shown = count.ran > atLeast && count.refused > atLeast && count.limited < requests.length / 50;
  assert.ok(shown || failed.size > 0, JSON.stringify(count));
  assertOnlyKnown(suite, failed);
}

test("documents by hand, by HTTP", () => judged(handwritten(), "http", "differential", 500));

// The other way round, so that other variables find the document in the cache.
test("documents by hand, on a socket", () => judged(handwritten().reverse(), "socket", "differential", 500));

test(`documents by chance, seed ${SEED}`, () =>
  judged(generated(DOCUMENTS, SEED), "http", "differential, generated", DOCUMENTS / 3));

test("no request was a defect of the server", async () => {
  const printed = `${requestCount} requests validated and run as graphql-js does, ${differenceCount} differences (seed ${SEED})`;
  await report({ order: 40, suite: "graphql (differential test)", version: versionOf("graphql-17"), printed });
  assert.doesNotMatch(server.log, /\b(ERROR|panicked)\b/);
});
