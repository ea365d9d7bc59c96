import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import WebSocket from "ws";
import { deviceOf } from "../harness/device.js";
import { startParlor } from "../harness/parlor.js";
import { signUpAll } from "../harness/people.js";
import { startProxy } from "../harness/proxy.js";
import { postWhileCut, receivedExactly } from "../harness/tunnel.js";
import { until } from "../harness/until.js";

const server = await startParlor();
const proxy = await startProxy(server);
const [ann, bob] = await signUpAll(server, "ann", "bob");
const room = await ann.open(bob);
const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
const address = "ws://127.0.0.1:4000/graphql";

/** Runs README's code, with what it leaves to the app; answers what it makes. */
async function run(app) {
  const [, code] = /^## A client$[^]*?^```js$([^]*?)^```$/m.exec(readme);
  assert.ok(code.includes(address));
  Object.assign(globalThis, { WebSocket }, app);
  const file = new URL(`../__generated__/readme-${Math.random().toString(36).slice(2)}.js`, import.meta.url);
  mkdirSync(new URL(".", file), { recursive: true });
  writeFileSync(file, `${code.replace(address, proxy.socketUrl)}\nexport { client, post };\n`);
  return import(file);
}

test("README's code loses and doubles nothing, and survives a token that expires", async (context) => {
  const person = await bob.anotherDevice();
  const device = deviceOf(person, { accessToken: person.expiredToken });
  const bodies = [];
  const reported = [];
  const { client, post } = await run({
    syncCursor: await bob.syncCursor(),
    session: device.session,
    apply: (event) => event.message && bodies.push(event.message.body),
    report: (problem) => reported.push(problem),
  });
  context.after(() => client.dispose());
  await receivedExactly(await postWhileCut({ author: ann, room, proxy }), { bodies });

  bodies.length = 0;
  const outbox = Array.from({ length: 20 }, (_, number) => `from the outbox ${number}`);
  const posted = Promise.all(outbox.map((body) => post(room, body)));
  proxy.cutSoon(2000);
  for (const { value } of await posted) assert.ok(value.data.postMessage.message.id);
  await until("the outbox", () => bodies.length >= outbox.length, () => bodies);
  assert.deepEqual([...bodies].sort(), [...outbox].sort());
  assert.deepEqual(reported, []);
  assert.equal(device.signIns, 0);

  await person.ask("mutation { signOut { sessionId } }");
  await until("the app to be told that signing in is needed", () => device.signIns === 1 && reported.length > 0, () => reported);
});
