/** Receivers of webhooks: README's own, one by the library, and those that are slow, lie or want nothing any more. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { startParlor } from "../harness/parlor.js";
import { request, signUp } from "../harness/people.js";
import { until } from "../harness/until.js";

const POSTS = "subscription { events { ... on MessagePosted { message { id body author { username } } } } }";
const FIELDS = "id state failureCount lastStatus lastError";

const directory = mkdtempSync(join(tmpdir(), "parlor-receivers-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const openssl = (...words) => execFileSync("openssl", words, { stdio: "ignore", cwd: directory });
const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** An authority of this name, in the files `name.key` and `name.pem`. */
function authority(name) {
  openssl("req", "-x509", ...EC, "-days", "2", "-keyout", `${name}.key`, "-out", `${name}.pem`, "-subj", `/CN=${name}`);
  return name;
}

/** A key, and a certificate for this host by that authority. */
function certificate(host, by) {
  const file = `${by}-${host}`;
  openssl("req", ...EC, "-keyout", `${file}.key`, "-out", `${file}.csr`, "-subj", `/CN=${host}`);
  writeFileSync(join(directory, `${file}.ext`), `subjectAltName=DNS:${host}\nbasicConstraints=CA:FALSE\n`);
  const signed = ["-CA", `${by}.pem`, "-CAkey", `${by}.key`, "-CAcreateserial", "-extfile", `${file}.ext`];
  openssl("x509", "-req", "-days", "2", "-in", `${file}.csr`, "-out", `${file}.pem`, ...signed);
  const read = (ending) => readFileSync(join(directory, `${file}.${ending}`));
  return { key: read("key"), cert: read("pem") };
}

const [ours, theirs] = [authority("ours"), authority("theirs")];
const [trusted, misnamed, unknown] = [certificate("localhost", ours), certificate("elsewhere.example", ours), certificate("localhost", theirs)];
const authorities = join(directory, "ours.pem");

const server = await startParlor({ PARLOR_WEBHOOK_ALLOW: "127.0.0.0/8,::1/128", SSL_CERT_FILE: authorities });
const key = server.addKey("webhooks");
const [ann, bob] = [await signUp(server, "ann"), await signUp(server, "bob")];
const room = await ann.open(bob);

async function asKey(query, variables) {
  const answer = await request(server.url, { query, variables, token: key });
  assert.equal(answer.errors, undefined, JSON.stringify(answer.errors));
  return answer.data;
}

/** Has this URL be told of posts. */
async function webhook(url, ordered = false) {
  const query = `mutation ($input: WebhookInput!) { createWebhook(input: $input) { secret webhook { ${FIELDS} } } }`;
  const { secret, webhook: { id } } = (await asKey(query, { input: { url, query: POSTS, ordered } })).createWebhook;
  const said = async () => (await asKey(`{ webhooks { ${FIELDS} } }`)).webhooks.find((other) => other.id === id);
  return { id, secret, said };
}

/** A receiver that answers by `answer`, and keeps what it was sent. */
async function receiver(answer, secure) {
  const got = [];
  const handle = async (asked, answers) => {
    const body = Buffer.concat(await asked.toArray()).toString();
    got.push({ headers: asked.headers, body, url: asked.url });
    answer(answers, body);
  };
  const listening = secure ? createSecureServer(secure, handle) : createServer(handle);
  await new Promise((resolve) => listening.listen(0, "localhost", resolve));
  after(() => { listening.close(); listening.closeAllConnections(); });
  const url = `${secure ? "https" : "http"}://localhost:${listening.address().port}/hook`;
  return { got, url, bodies: () => got.map(({ body }) => JSON.parse(body).data.message.body) };
}

const takes = (answers) => answers.writeHead(204).end();

test("README's receiver verifies what it is sent, and refuses what is changed", async () => {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const code = /```js\n(import \{ createServer \}[^`]*standardwebhooks[^`]*)```/.exec(readme)[1];
  assert.ok(code.trim().split("\n").length <= 16);
  const free = await receiver(takes);
  const port = Number(new URL(free.url).port) + 1;
  const { secret, id } = await webhook(`http://localhost:${port}/hook`);
  mkdirSync(new URL("../__generated__", import.meta.url), { recursive: true });
  const file = new URL("../__generated__/receiver.mjs", import.meta.url);
  writeFileSync(file, code.replace("listen(8080)", `listen(${port}, "localhost", () => console.log("listening"))`));
  const child = spawn(process.execPath, [file.pathname], { env: { ...process.env, WEBHOOK_SECRET: secret } });
  after(() => child.kill());
  let printed = "";
  child.stdout.on("data", (chunk) => { printed += chunk; });
  child.stderr.on("data", (chunk) => { printed += chunk; });
  await until("the receiver to listen", () => printed.includes("listening"), () => printed);
  await ann.post(room, "to README");
  await until("the message", () => /evt_\d+_[0-9a-f]{8} message\.posted .*to README/s.test(printed), () => printed);
  const forged = await fetch(`http://localhost:${port}/hook`, {
    method: "POST",
    headers: { "webhook-id": "evt_1_00000000", "webhook-timestamp": String(Math.floor(Date.now() / 1_000)), "webhook-signature": "v1,AAAA" },
    body: "{}",
  });
  assert.equal(forged.status, 401);
  await asKey("mutation ($id: ID!) { deleteWebhook(webhookId: $id) { webhookId } }", { id });
});

test("the library verifies the signatures of both secrets while they are rotated", async () => {
  const well = await receiver(takes);
  const { id, secret } = await webhook(well.url);
  const rotate = "mutation ($id: ID!) { updateWebhook(webhookId: $id, input: { rotateSecret: true }) { secret } }";
  const next = (await asKey(rotate, { id })).updateWebhook.secret;
  await ann.post(room, "signed twice");
  await until("the message", () => well.bodies().includes("signed twice"));
  const { headers, body } = well.got.at(-1);
  for (const one of [secret, next]) assert.equal(new Webhook(one).verify(body, headers).type, "message.posted");
  assert.throws(() => new Webhook(secret).verify(body.replace("twice", "never"), headers));
  assert.throws(() => new Webhook(secret).verify(body, { ...headers, "webhook-id": "evt_1_00000000" }));
});

test("by TLS only a receiver is told whose certificate is its own", async () => {
  const [good, misnames, selfSigned] = [await receiver(takes, trusted), await receiver(takes, misnamed), await receiver(takes, unknown)];
  const [one, other, third] = [await webhook(good.url), await webhook(misnames.url), await webhook(selfSigned.url)];
  await ann.post(room, "by TLS");
  await until("the message", () => good.bodies().includes("by TLS"));
  for (const { said } of [other, third]) {
    const { lastStatus, lastError } = await until("it to be paused", async () => {
      const now = await said();
      return now.state === "PAUSED" && now;
    });
    assert.equal(lastStatus, null);
    assert.match(lastError, /certificate/);
  }
  assert.equal(misnames.got.length + selfSigned.got.length, 0);
  assert.equal((await one.said()).state, "ACTIVE");
});

test("a redirect is followed nowhere, and 410 is the end", async () => {
  const target = await receiver(takes);
  const moved = await receiver((answers) => answers.writeHead(307, { location: target.url }).end());
  const gone = await receiver((answers) => answers.writeHead(410).end());
  const [first, second] = [await webhook(moved.url, true), await webhook(gone.url)];
  await ann.post(room, "moved");
  const paused = await until("it to be paused", async () => {
    const now = await first.said();
    return now.state === "PAUSED" && now;
  });
  assert.equal(paused.lastStatus, 307);
  await until("it to be disabled", async () => (await second.said()).state === "DISABLED");
  assert.equal(target.got.length, 0);
  assert.equal(gone.got.length, 1);
});

test("one that never answers, or a byte a second, holds up its own event for 15 s and nobody else", async () => {
  const isSlow = (body) => body.includes("take your time");
  const silent = await receiver((answers, body) => (isSlow(body) ? undefined : takes(answers)));
  const dribbling = await receiver((answers, body) => {
    if (!isSlow(body)) return takes(answers);
    const bytes = [..."HTTP/1.1 200 OK\r\nx: ", ..."a".repeat(60)];
    const write = setInterval(() => answers.socket?.write(bytes.shift() ?? "a"), 1_000);
    answers.socket.on("close", () => clearInterval(write));
  });
  const [one, other, well] = [await webhook(silent.url), await webhook(dribbling.url), await receiver(takes)];
  await webhook(well.url);
  const begun = Date.now();
  await ann.post(room, "take your time");
  await ann.post(room, "quickly");
  await until("the others to be told", () => well.bodies().includes("quickly"));
  assert.ok(Date.now() - begun < 5_000);
  for (const [{ said }, { bodies }] of [[one, silent], [other, dribbling]]) {
    await until("the slow event to be refused", async () => (await said()).failureCount === 1);
    await until("the next event", () => bodies().includes("quickly"));
    assert.equal((await said()).state, "ACTIVE");
  }
  assert.ok(Date.now() - begun < 25_000);
});
