/** Debian's Chromium for a test file, without any network but the servers of this machine. */
import assert from "node:assert/strict";
import { after } from "node:test";
import { join } from "node:path";
import { chromium } from "playwright-core";

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

export const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/** How long a page may take to show what is waited for. */
export const LIMIT_MS = 30_000;

/** Where screenshots go, if they are wanted: `SCREENSHOTS`. */
export const SCREENSHOTS = process.env.SCREENSHOTS;

/** A folder with a build of the sample app to be looked at in the place of the binary's, if there is one: `PAGES`. */
const PAGES = process.env.PAGES;
const TYPES = { html: "text/html", js: "text/javascript", css: "text/css", svg: "image/svg+xml" };

/** Has a browser be given the pages of that folder, with the policy with which the binary sends its own. */
export async function givePages(context, server) {
  if (!PAGES) return;
  const home = await fetch(`http://127.0.0.1:${server.port}/`, { headers: { accept: "text/html" } });
  const policy = home.headers.get("content-security-policy");
  const isPage = ({ port, pathname }) => port === String(server.port) && (pathname === "/" || pathname.startsWith("/assets/"));
  await context.route(isPage, async (route) => {
    const { pathname } = new URL(route.request().url());
    const file = pathname === "/" ? "index.html" : pathname.slice(1);
    const headers = { "content-type": TYPES[file.split(".").at(-1)], "content-security-policy": policy };
    await route.fulfill({ path: join(PAGES, file), headers });
  });
}

/** The sizes at which pages are looked at. */
export const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

/** Starts it, until the tests of the file have ended. */
export async function startChromium() {
  // Pages that are given by the test come from no address, for which a server of this machine would be out of bounds.
  const args = PAGES ? [...FLAGS, "--disable-features=LocalNetworkAccessChecks"] : FLAGS;
  const browser = await chromium.launch({ executablePath: CHROMIUM, args });
  after(() => browser.close());
  return browser;
}

/**
 * Has a page write down what goes wrong in it: errors, warnings, what its policy refuses, and requests to elsewhere.
 *
 * @param {import("playwright-core").Page} page
 * @param {{ port: number }} server the only one that it may ask
 * @returns {Promise<string[]>} what went wrong so far
 */
export async function listen(page, server) {
  const complaints = [];
  page.on("console", (message) => {
    const { url, lineNumber, columnNumber } = message.location();
    if (["error", "warning"].includes(message.type())) complaints.push(`${message.text()} (${url}:${lineNumber}:${columnNumber})`);
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => new URL(request.url()).host !== `127.0.0.1:${server.port}` && complaints.push(request.url()));
  await page.addInitScript(() => {
    addEventListener("unhandledrejection", ({ reason }) => {
      if (!(reason instanceof Error)) console.error(`nobody took ${reason?.constructor?.name}: ${JSON.stringify(reason)}`);
    });
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => console.error(`refused: ${violatedDirective} ${blockedURI}`));
  });
  return complaints;
}

/** Waits until a page answers this, and shows what it answered instead when it doesn't in time. */
export async function until(what, read, expected, limitMs = LIMIT_MS) {
  const end = Date.now() + limitMs;
  let seen;
  for (;;) {
    seen = await read();
    if (JSON.stringify(seen) === JSON.stringify(expected)) return;
    if (Date.now() > end) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.deepEqual(seen, expected, what);
}

/** A picture of the page, where they are wanted. */
export async function screenshot(page, name) {
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${name}.png` });
}
