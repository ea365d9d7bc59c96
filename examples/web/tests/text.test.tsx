import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { parseRoute, paths } from "../src/app/route";
import { explain } from "../src/graphql/failure";
import { Text } from "../src/ui/Text";

const html = (text: string) => renderToStaticMarkup(<Text>{text}</Text>);

test("addresses of pages become links, without the sentence around them", () => {
  expect(html("see https://example.org/a?b=c&d, or (http://example.org).")).toBe(
    'see <a href="https://example.org/a?b=c&amp;d" target="_blank" rel="noopener noreferrer nofollow" dir="ltr">' +
      "https://example.org/a?b=c&amp;d</a>, or (" +
      '<a href="http://example.org" target="_blank" rel="noopener noreferrer nofollow" dir="ltr">http://example.org</a>).',
  );
});

test("nothing else becomes a link or markup", () => {
  for (const text of [
    "javascript:alert(1)",
    "data:text/html,x",
    "https://",
    "ftp://example.org",
    "<b>bold</b>",
    "a&b",
  ]) {
    expect(html(text)).not.toMatch(/<(?!\/?$)/);
  }
  expect(html("<img src=x onerror=alert(1)>")).toBe("&lt;img src=x onerror=alert(1)&gt;");
});

test("a room's path leads to it, and what is no path leads to the list", () => {
  expect(parseRoute(paths.room("room_1/ä"))).toEqual({ page: "room", id: "room_1/ä" });
  expect(parseRoute(paths.new)).toEqual({ page: "new" });
  for (const hash of ["", "#", "#/", "#/rooms/", "#/rooms/a/b", "#/else"]) {
    expect(parseRoute(hash)).toEqual({ page: "rooms" });
  }
  expect(parseRoute("#/rooms/%")).toEqual({ page: "room", id: "%" });
});

test("errors are told by their code", () => {
  expect(explain({ code: "RATE_LIMITED", message: "", retryAfterMs: 1_200 })).toContain("2 s");
  expect(explain({ code: "UNAVAILABLE", message: "" })).toContain("outage");
  expect(explain({ code: "BAD_USER_INPUT", message: "must not be empty", field: "body" })).toBe(
    "The message must not be empty.",
  );
  expect(explain({ code: "CONFLICT", message: "this username is taken", field: "input.username" })).toBe(
    "This username is taken.",
  );
  expect(explain({ code: "FORBIDDEN", message: "" })).toBe("You may not do that.");
  expect(explain({ code: "FORBIDDEN", message: "", reason: "NOBODY_THERE" })).toContain("Nobody else");
  expect(explain({ code: "FORBIDDEN", message: "", reason: "A_LATER_REASON" })).toBe("You may not do that.");
  expect(explain({ code: "A_LATER_CODE", message: "something new" })).toBe("Something new.");
});
