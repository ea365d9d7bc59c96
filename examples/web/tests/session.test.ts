import { expect, test, vi } from "vitest";
import { ApiError, type Ask } from "../src/session/ask";
import { lock } from "../src/session/lock";
import { createSession, SignedOutError } from "../src/session/session";
import { MemoryStorage } from "./storage";

const tokens = (number: number) => ({
  __typename: "SessionPayload" as const,
  accessToken: `access${String(number)}`,
  refreshToken: `refresh${String(number)}`,
  user: { __typename: "User" as const, id: "user_ann", displayName: "Ann" },
});

function start({
  storage = new MemoryStorage(),
  refresh,
}: { storage?: Storage; refresh?: () => unknown } = {}) {
  let time = 0;
  let count = 1;
  const asked = vi.fn(() =>
    Promise.resolve().then(() => (refresh ? refresh() : { refreshSession: tokens((count += 1)) })),
  );
  const tabs = new EventTarget();
  const session = createSession({ ask: asked as unknown as Ask, storage, lock, tabs, now: () => time });
  return {
    session,
    storage,
    asked,
    tabs,
    later: (ms: number) => {
      time += ms;
    },
  };
}

test("a token is used for five minutes, and then renewed", async () => {
  const { session, asked, later } = start();
  session.begin(tokens(1));
  later(299_999);
  expect(await session.accessToken()).toBe("access1");
  later(1);
  expect(await session.accessToken()).toBe("access2");
  expect(asked).toHaveBeenCalledOnce();
});

test("all who need a new token at the same time get the one of one refresh", async () => {
  const { session, asked, later } = start();
  session.begin(tokens(1));
  later(300_000);
  const all = await Promise.all([
    session.accessToken(),
    session.accessToken(),
    session.accessToken("access1"),
  ]);
  expect(all).toEqual(["access2", "access2", "access2"]);
  expect(asked).toHaveBeenCalledOnce();
});

test("a token that the server refused is renewed, though it looks fresh", async () => {
  const { session } = start();
  session.begin(tokens(1));
  expect(await session.accessToken("access1")).toBe("access2");
});

test("what another tab renewed is used", async () => {
  const { session, asked, storage } = start();
  session.begin(tokens(1));
  const other = start({ storage });
  other.session.begin(tokens(7));
  expect(await session.accessToken("access1")).toBe("access7");
  expect(asked).not.toHaveBeenCalled();
});

test("a session that has ended signs out; an outage doesn't", async () => {
  let failure = new ApiError("away", { code: "UNAVAILABLE" });
  const { session } = start({
    refresh: () => {
      throw failure;
    },
  });
  const changed = vi.fn();
  session.begin(tokens(1));
  session.subscribe(changed);
  await expect(session.accessToken("access1")).rejects.toThrow("away");
  expect(session.current()?.userId).toBe("user_ann");
  failure = new ApiError("over", { code: "UNAUTHENTICATED" });
  await expect(session.accessToken("access1")).rejects.toThrow(SignedOutError);
  expect(session.current()).toBe(null);
  expect(changed).toHaveBeenCalledOnce();
});

test("signing out while a token is renewed isn't undone", async () => {
  const { session } = start();
  session.begin(tokens(1));
  const renewed = session.accessToken("access1");
  session.end();
  await renewed.catch(() => undefined);
  expect(session.current()).toBe(null);
});
