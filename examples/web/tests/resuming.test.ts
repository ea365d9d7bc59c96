import type { FormattedExecutionResult } from "graphql";
import { expect, test, vi } from "vitest";
import { delayMs } from "../src/graphql/patience";
import { resuming } from "../src/graphql/resuming";

type Result = FormattedExecutionResult<Record<string, unknown>>;

function start(next: (result: Result) => void = () => undefined) {
  const given = { query: "subscription { events { cursor } }", extensions: { after: "c0" } };
  const [request, sink] = resuming(given, { next, error: () => undefined, complete: () => undefined });
  return { given, sink, sent: () => JSON.parse(JSON.stringify(request)) as typeof given };
}

test("a subscription goes on after the last event", () => {
  const { given, sink, sent } = start();
  expect(sent().extensions.after).toBe("c0");
  sink.next({ data: { events: { cursor: "c1" } } });
  sink.next({ data: { events: { cursor: "c2" } } });
  expect(sent().extensions.after).toBe("c2");
  expect(given.extensions.after).toBe("c0");
});

test("an event that can't be shown leaves the cursor where it is", () => {
  const { sink, sent } = start();
  sink.next({ data: null, errors: [{ message: "too large" }] });
  expect(sent().extensions.after).toBe("c0");
});

test("an event that can't be applied is reported, and doesn't come again", () => {
  const report = vi.fn();
  vi.stubGlobal("reportError", report);
  const { sink, sent } = start(() => {
    throw new Error("no such field");
  });
  sink.next({ data: { events: { cursor: "c1" } } });
  expect(report).toHaveBeenCalledOnce();
  expect(sent().extensions.after).toBe("c1");
  vi.unstubAllGlobals();
});

test("waits grow to a minute at most, and differ among clients", () => {
  expect([0, 1, 2, 3].map((retries) => delayMs(retries, () => 0))).toEqual([500, 1_000, 2_000, 4_000]);
  expect(delayMs(20, () => 0)).toBe(30_000);
  expect(delayMs(20, () => 1)).toBe(60_000);
});
