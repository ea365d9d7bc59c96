/** A web server with the pages of GraphQL IDEs, which passes /graphql on to Parlor: HTTP and WebSocket. */
import { readFile } from "node:fs/promises";
import { createServer, request as forward } from "node:http";
import { connect } from "node:net";
import { extname, join, normalize } from "node:path";
import { after } from "node:test";
import altair from "altair-static";

const TYPES = { ".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2" };

/** Options that a page is shown with. @typedef {{ query: string, token: string }} Shown */

/** The page of GraphQL Playground, as its README has it, from files of our own. @param {Shown} shown */
function playgroundPage({ query, token }, host) {
  const headers = { Authorization: `Bearer ${token}` };
  const options = {
    endpoint: `http://${host}/graphql`,
    subscriptionEndpoint: `ws://${host}/graphql`,
    settings: { "schema.polling.enable": false, "request.credentials": "omit" },
    tabs: [{ endpoint: `http://${host}/graphql`, query, headers }],
  };
  return `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/playground/static/css/index.css">
<style>html, body, #root { height: 100%; margin: 0 }</style><div id="root"></div>
<script src="/playground/static/js/middleware.js"></script>
<script>GraphQLPlayground.init(document.getElementById("root"), ${JSON.stringify(options)})</script>`;
}

/** The page of Altair, as its package renders it. @param {Shown} shown */
function altairPage({ query, token, more = {} }, host) {
  const authorization = `Bearer ${token}`;
  return altair.renderAltair({
    baseURL: "/altair/",
    endpointURL: `http://${host}/graphql`,
    subscriptionsEndpoint: `ws://${host}/graphql`,
    initialQuery: query,
    initialHeaders: { Authorization: authorization },
    initialSubscriptionsPayload: { authorization },
    ...more,
  });
}

/**
 * Starts it, until the tests of the file have ended.
 *
 * @param {{ port: number }} parlor
 * @param {{ shown: Shown, playground: string }} pages `playground` is the folder with GraphQL Playground's files
 * @returns the address
 */
export async function startPages(parlor, pages) {
  const folders = { altair: altair.getDistDirectory(), playground: pages.playground };
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://pages").pathname;
    if (path === "/graphql") {
      const onward = forward({ port: parlor.port, host: "127.0.0.1", path: request.url, method: request.method, headers: request.headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      onward.on("error", () => response.destroy());
      return request.pipe(onward);
    }
    const [, page, ...rest] = path.split("/");
    const host = request.headers.host;
    const html = { altair: altairPage, playground: playgroundPage }[page];
    try {
      if (html && rest.join("") === "") return response.setHeader("content-type", "text/html").end(html(pages.shown, host));
      const file = join(folders[page] ?? "nowhere", normalize(`/${rest.join("/")}`));
      response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream").end(await readFile(file));
    } catch {
      response.writeHead(404).end();
    }
  });
  server.on("upgrade", (request, near, head) => {
    const far = connect(parlor.port, "127.0.0.1", () => {
      const lines = request.rawHeaders.reduce((text, part, at) => text + part + (at % 2 ? "\r\n" : ": "), "");
      far.write(`GET ${request.url} HTTP/1.1\r\n${lines}\r\n`);
      far.write(head);
      far.pipe(near).pipe(far);
    });
    for (const side of [near, far]) side.on("error", () => { near.destroy(); far.destroy(); });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => { server.close(); server.closeAllConnections(); });
  return `http://127.0.0.1:${server.address().port}`;
}
