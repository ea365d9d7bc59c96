/** An app with users of its own: it serves the sample app, and its backend hands out tokens to who is signed in to it. */
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { extname, join } from "node:path";
import { connect } from "node:net";
import { after } from "node:test";

const SECRET = "a secret of the app's own backend, long enough";
/** The issuer as Parlor's settings have it. */
export const ISSUER = { issuer: "app", secret: SECRET, audience: "chat" };
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

/** A token of this user of the app. */
export function tokenOf(sub, name, ttlSecs = 600) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const iat = Math.floor(Date.now() / 1_000);
  const claims = { iss: ISSUER.issuer, aud: ISSUER.audience, sub, name, iat, exp: iat + ttlSecs };
  const text = `${part({ alg: "HS256" })}.${part(claims)}`;
  return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
}

/**
 * Starts it on a free port. `signedIn` says who is signed in to the app, for all browsers of the test.
 *
 * @param {{ port: number }} parlor what its `/graphql` is passed on to
 * @param {string} pages a build of the sample app
 */
export async function startApp(parlor, pages) {
  /** @type {{ sub: string, name: string } | undefined} */
  const app = { signedIn: undefined, asked: 0, port: 0 };
  const server = createServer((message, answer) => {
    const { pathname } = new URL(message.url, "http://app");
    if (pathname === "/graphql") return pass(message, answer, parlor.port);
    if (pathname === "/token") return token(app, answer);
    const file = pathname === "/" ? "index.html" : pathname;
    readFile(join(pages, file)).then(
      (bytes) => answer.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream").end(bytes),
      () => answer.writeHead(404).end(),
    );
  });
  server.on("upgrade", (message, client, head) => {
    const upstream = connect(parlor.port, "127.0.0.1");
    const headers = message.rawHeaders.map((text, place) => (place % 2 ? `${text}\r\n` : `${text}: `)).join("");
    upstream.write(`GET ${message.url} HTTP/1.1\r\n${headers}\r\n`);
    upstream.write(head);
    for (const [from, to] of [[client, upstream], [upstream, client]]) {
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => { server.close(); server.closeAllConnections(); });
  app.port = server.address().port;
  return app;
}

function token(app, answer) {
  app.asked += 1;
  if (!app.signedIn) return answer.writeHead(401).end();
  const { sub, name } = app.signedIn;
  return answer.setHeader("content-type", "application/json").end(JSON.stringify({ accessToken: tokenOf(sub, name) }));
}

function pass(message, answer, port) {
  const { method, url, headers } = message;
  const upstream = request({ host: "127.0.0.1", port, method, path: url, headers }, (from) => {
    answer.writeHead(from.statusCode, from.headers);
    from.pipe(answer);
  });
  upstream.on("error", () => answer.destroy());
  message.pipe(upstream);
}
