import { expect, test } from "vitest";
import { beingWritten, mentionedIn, suggest } from "../src/mentions/mentions";

const PEOPLE = [
  { id: "1", displayName: "Ann", username: "ann" },
  { id: "2", displayName: "Ann Archer", username: "archer" },
  { id: "3", displayName: "José (work)", username: "jose" },
  { id: "4", displayName: "Ann", username: "other" },
];
const NONE = new Map<string, string>();

test("the longest name that stands behind an @ is meant", () => {
  const of = (text: string) => mentionedIn(text, PEOPLE, NONE).mentions;
  expect(of("@Ann Archer, and @Ann")).toEqual(["2", "1"]);
  expect(of("@Anna, mail@Ann and Ann")).toEqual([]);
  expect(of("(@José (work)!)")).toEqual(["3"]);
});

test("of two with one name it is the one who was chosen", () => {
  expect(mentionedIn("@Ann", PEOPLE, new Map([["Ann", "4"]])).mentions).toEqual(["4"]);
});

test("everybody is mentioned by a word of its own", () => {
  expect(mentionedIn("@everybody", PEOPLE, NONE)).toEqual({ mentions: [], mentionsRoom: true });
  expect(mentionedIn("@everybodys", PEOPLE, NONE).mentionsRoom).toBe(false);
});

test("what is written behind an @ is what stands before the cursor", () => {
  expect(beingWritten("Hi @an you", 6)).toEqual({ from: 3, search: "an" });
  expect(beingWritten("@", 1)).toEqual({ from: 0, search: "" });
  for (const text of ["mail@an", "Hi an", "@an you"]) expect(beingWritten(text, text.length)).toBeUndefined();
});

test("people are suggested by how a word of their names begins", () => {
  expect(suggest("arch", PEOPLE).map(({ id }) => id)).toEqual(["2"]);
  expect(suggest("", PEOPLE)).toHaveLength(4);
});
