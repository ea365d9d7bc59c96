export interface Person {
  id: string;
  displayName: string;
  username?: string;
}

/** What mentions all members of a room, behind the @. */
export const EVERYBODY = "everybody";

/** Finds `@` with one of these names behind it, the longest first; none is the beginning of a longer word. */
export function mentionPattern(names: readonly string[]): RegExp | undefined {
  if (names.length === 0) return undefined;
  const longestFirst = [...names].sort((one, other) => other.length - one.length).map(escaped);
  return new RegExp(`(?<![\\p{L}\\p{N}_])@(${longestFirst.join("|")})(?![\\p{L}\\p{N}_])`, "gu");
}

/** Whom a text mentions of these people. Of two with the same name it is the one who was chosen. */
export function mentionedIn(text: string, people: readonly Person[], chosen: ReadonlyMap<string, string>) {
  const pattern = mentionPattern([...people.map(({ displayName }) => displayName), EVERYBODY]);
  const names = new Set([...text.matchAll(pattern ?? /$^/gu)].map(([, name]) => name));
  const mentions = [...names].flatMap((name) => {
    const named = people.filter(({ displayName }) => displayName === name);
    const id = (name === undefined ? undefined : chosen.get(name)) ?? named[0]?.id;
    return named.length > 0 && id !== undefined ? [id] : [];
  });
  return { mentions, mentionsRoom: names.has(EVERYBODY) };
}

/** What is being written behind an @ at this place of a text, if anything. */
export function beingWritten(text: string, at: number): { from: number; search: string } | undefined {
  const [, search] = /(?:^|[\s(])@([^\s@]{0,32})$/u.exec(text.slice(0, at)) ?? [];
  return search === undefined ? undefined : { from: at - search.length - 1, search };
}

const SUGGESTED = 6;

/** Those whose names have a word that begins with what was written. */
export function suggest(search: string, people: readonly Person[]): Person[] {
  const wanted = search.toLocaleLowerCase();
  const begins = (text: string) => text.toLocaleLowerCase().startsWith(wanted);
  const matches = ({ displayName, username = "" }: Person) =>
    begins(username) || displayName.split(/\s+/).some(begins) || begins(displayName);
  return people.filter(matches).slice(0, SUGGESTED);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
