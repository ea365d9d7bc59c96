/** The sample app as people use it: by the names that are read out to them. */
import { PASSWORD } from "../harness/people.js";
import { LIMIT_MS, SIZES, givePages, listen } from "./chromium.js";

/** Somebody's browser with the sample app. */
export class Chat {
  /** @param {import("playwright-core").Page} page */
  constructor(page, complaints) {
    this.page = page;
    /** What went wrong in the page so far, see `listen`. */
    this.complaints = complaints;
  }

  /** Opens the app in a browser of its own. @param {import("playwright-core").Browser} browser */
  static async open(browser, server, options = { viewport: SIZES.desktop }) {
    const context = await browser.newContext(options);
    await givePages(context, server);
    const page = await context.newPage();
    page.setDefaultTimeout(LIMIT_MS);
    const complaints = await listen(page, server);
    await page.goto(`http://127.0.0.1:${server.port}/`);
    return new Chat(page, complaints);
  }

  async signUp(username, name) {
    await this.page.getByRole("button", { name: "Create an account" }).click();
    await this.page.getByRole("textbox", { name: "Username" }).fill(username);
    await this.page.getByRole("textbox", { name: "Your name" }).fill(name);
    await this.page.getByLabel("Password").fill(PASSWORD);
    await this.page.getByRole("button", { name: "Sign up" }).click();
    await this.page.getByRole("navigation", { name: "Conversations" }).waitFor();
  }

  async signIn(username) {
    await this.page.getByRole("textbox", { name: "Username" }).fill(username);
    await this.page.getByLabel("Password").fill(PASSWORD);
    await this.page.getByRole("button", { name: "Sign in", exact: true }).click();
    await this.page.getByRole("navigation", { name: "Conversations" }).waitFor();
  }

  /** Finds somebody, and begins a conversation. */
  async begin(name) {
    await this.page.getByRole("link", { name: "New conversation" }).click();
    await this.page.getByRole("searchbox", { name: "Search people" }).fill(name);
    await this.page.getByRole("checkbox", { name }).check();
    await this.page.getByRole("button", { name: "Start chat" }).click();
    await this.field.waitFor();
  }

  /** Opens the conversation with somebody from the list. */
  async enter(name) {
    await this.room(name).click();
    await this.field.waitFor();
  }

  /** The conversation in the list. */
  room(name) {
    return this.page.getByRole("link", { name });
  }

  get field() {
    return this.page.getByRole("textbox", { name: "Message", exact: true });
  }

  get connection() {
    return this.page.getByRole("status", { name: "Connection" });
  }

  async say(text) {
    await this.field.fill(text);
    await this.field.press("Enter");
  }

  /** The texts of the messages that are shown, in order. */
  texts() {
    return this.page.getByRole("log", { name: "Messages" }).locator("article p[dir=auto]").allInnerTexts();
  }

  /** A message that is shown. What it says is looked at by itself: "later 12" at 9:51 PM has "later 129" in it. */
  message(text) {
    return this.page.getByRole("article").filter({ has: this.page.locator("p", { hasText: text }) });
  }

  /** The reactions below a message, as they are read out. */
  reactions(text) {
    return this.message(text).first().getByRole("group", { name: "Reactions" }).locator("button[aria-pressed]").evaluateAll((buttons) =>
      buttons.map((button) => `${button.getAttribute("aria-pressed") === "true" ? "own " : ""}${button.getAttribute("aria-label").replace(/[\u2068\u2069]/gu, "")}`),
    );
  }

  /** Presses a button of a message: they are shown when it is pointed at, or has the focus. */
  async actOn(text, button) {
    // Answers show the text as well, below it.
    await this.message(text).first().hover();
    await this.message(text).first().getByRole("button", { name: button, exact: true }).click();
  }

  /** Shows earlier messages, again and again, until there are none. */
  async scrollToBeginning() {
    const log = this.page.getByRole("log", { name: "Messages" });
    const isWhole = () => this.page.getByRole("button", { name: "Earlier messages" }).count().then((count) => count === 0);
    for (const end = Date.now() + LIMIT_MS; !(await isWhole()); ) {
      if (Date.now() > end) throw new Error("the conversation has no beginning");
      await log.evaluate((element) => { element.scrollTop = 0; });
      await this.page.waitForTimeout(100);
    }
  }
}
