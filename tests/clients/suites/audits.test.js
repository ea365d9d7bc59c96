/** graphql-http's audits of a server: the draft of GraphQL over HTTP, every MUST, SHOULD and MAY. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { serverAudits } from "graphql-http";
import { startParlor } from "../harness/parlor.js";
import { assertOnlyKnown } from "./harness/known.js";
import { report, versionOf } from "./harness/report.js";

const server = await startParlor();

test("graphql-http's audits pass", async () => {
  const failed = new Map();
  const count = { ok: 0, notice: 0, warn: 0, error: 0 };
  const audits = serverAudits({ url: server.url });
  for (const { id, name, fn } of audits) {
    const result = await fn();
    count[result.status] += 1;
    if (result.status !== "ok") failed.set(`${id} ${name}`, `${result.status}: ${result.reason}`);
  }
  assert.ok(audits.length > 60, `${audits.length} audits`);
  const printed = `${audits.length} audits: ${count.ok} ok, ${count.notice} notices, ${count.warn} warnings, ${count.error} errors`;
  await report({ order: 10, suite: "graphql-http", version: versionOf("graphql-http"), printed });
  assertOnlyKnown("graphql-http", failed);
});
