import { expect, test, vi } from "vitest";
import { ApiError, createAsk } from "../src/session/ask";
import { lock } from "../src/session/lock";
import { byBackend } from "../src/session/renew";
import { createSession, SignedOutError, type Renew } from "../src/session/session";
import { MemoryStorage } from "./storage";

const tokens = (number: number) => ({
  __typename: "SessionPayload" as const,
  accessToken: `access${String(number)}`,
  refreshToken: `refresh${String(number)}`,
  user: { __typename: "User" as const, id: "user_ann", displayName: "Ann" },
});

function start({ storage = new MemoryStorage(), refresh }: { storage?: Storage; refresh?: Renew } = {}) {
  let time = 0;
  let count = 1;
  const asked = vi.fn<Renew>((kept) =>
    Promise.resolve().then(() => (refresh ? refresh(kept) : tokens((count += 1)))),
  );
  const tabs = new EventTarget();
  const session = createSession({ renew: asked, storage, lock, tabs, now: () => time });
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

test("somebody else who has signed in to the app is told to all tabs", async () => {
  const { session } = start({ refresh: () => Promise.resolve({ ...tokens(2), user: { id: "user_bob" } }) });
  const changed = vi.fn();
  session.begin(tokens(1));
  session.subscribe(changed);
  await session.accessToken("access1");
  expect(session.current()?.userId).toBe("user_bob");
  expect(changed).toHaveBeenCalledOnce();
});

/** A token as the app's backend makes it, good for so many seconds. */
function signed(seconds: number): string {
  const part = (value: unknown) => btoa(JSON.stringify(value)).replace(/=+$/, "");
  return `${part({ alg: "HS256" })}.${part({ sub: "4²", iat: 1_000, exp: 1_000 + seconds })}.c2ln`;
}

test("a token of the app's backend is replaced after half of its time, by another of it", async () => {
  let status = 200;
  const asked: string[] = [];
  const fetcher = (url: string, { headers }: { headers?: Record<string, string> }) => {
    asked.push(`${url} ${headers?.authorization ?? ""}`);
    const answer =
      url === "/token" ? { accessToken: signed(asked.length) } : { data: { me: { id: "user_ann" } } };
    return Promise.resolve(new Response(JSON.stringify(answer), { status: url === "/token" ? status : 200 }));
  };
  const backend = byBackend(
    "/token",
    createAsk("/graphql", fetcher as typeof fetch),
    fetcher as typeof fetch,
  );
  const { session, later } = start({ refresh: backend });
  session.begin(await backend());
  expect(asked).toEqual(["/token ", `/graphql Bearer ${signed(1)}`]);
  later(499);
  expect(await session.accessToken()).toBe(signed(1));
  later(1);
  expect(await session.accessToken()).toBe(signed(3));

  status = 502;
  await expect(session.accessToken(signed(3))).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(session.current()?.userId).toBe("user_ann");
  status = 401;
  await expect(session.accessToken(signed(3))).rejects.toThrow(SignedOutError);
  expect(session.current()).toBe(null);
});
