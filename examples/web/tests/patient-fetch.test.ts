import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { patientFetch } from "../src/graphql/patient-fetch";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const limited = (seconds: string) =>
  new Response("too many requests", { status: 429, headers: { "retry-after": seconds } });

/** Answers in turn what is given, and the last of it from then on. */
function start(...answers: Response[]) {
  let asked = 0;
  const fetcher = patientFetch(() => {
    asked += 1;
    return Promise.resolve(answers[asked - 1] ?? answers.at(-1) ?? Response.error());
  });
  return { fetcher, asked: () => asked };
}

test("a request that came too early is sent again as late as the server says", async () => {
  const { fetcher, asked } = start(limited("2"), new Response("done"));
  const answer = fetcher("/graphql");
  await vi.advanceTimersByTimeAsync(1_999);
  expect(asked()).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(await (await answer).text()).toBe("done");
});

test("it gives up after three tries, and never waits for long", async () => {
  const often = start(limited("1"));
  const answer = often.fetcher("/graphql");
  await vi.advanceTimersByTimeAsync(10_000);
  expect((await answer).status).toBe(429);
  expect(often.asked()).toBe(3);
  for (const seconds of ["3600", "", "soon"]) {
    const { fetcher, asked } = start(limited(seconds), limited(seconds));
    const passed = fetcher("/graphql");
    await vi.advanceTimersByTimeAsync(0);
    expect((await passed).status).toBe(429);
    expect(asked()).toBe(1);
  }
});

test("a request that hangs ends", async () => {
  vi.useRealTimers();
  const timeout = vi
    .spyOn(AbortSignal, "timeout")
    .mockImplementation(() => AbortSignal.abort(new Error("too long")));
  const own = new AbortController();
  const fetcher = patientFetch((_, init) =>
    Promise.reject((init?.signal?.reason as Error | undefined) ?? new Error("none")),
  );
  await expect(fetcher("/graphql", { signal: own.signal })).rejects.toThrow("too long");
  await expect(fetcher("/graphql")).rejects.toThrow("too long");
  timeout.mockRestore();
});
