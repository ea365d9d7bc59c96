import { cx } from "./cx";
import { Icon } from "./Icon";
import { PresenceDot } from "./PresenceDot";
import styles from "./Avatar.module.css";

interface Person {
  id: string;
  displayName: string;
  presence?: { online: boolean };
}

const COLOURS = 8;

/** The first letters of a name, in a colour that stays the same; several people have a sign for all of them. */
export function Avatar({
  people,
  size = "normal",
}: {
  people: readonly Person[];
  size?: "small" | "normal";
}) {
  const [person] = people;
  const isOne = people.length === 1 && person !== undefined;
  return (
    <span
      className={cx(styles.avatar, size === "small" && styles.small)}
      data-colour={person ? colourOf(person.id) : 0}
      aria-hidden="true"
    >
      {isOne ? (
        <span dir="auto">{initials(person.displayName)}</span>
      ) : (
        <Icon name="bubbles" size={size === "small" ? 16 : 22} />
      )}
      {isOne && person.presence && <PresenceDot userId={person.id} isOnline={person.presence.online} />}
    </span>
  );
}

function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return letters.map((word) => first(word ?? "")).join("");
}

const graphemes = "Segmenter" in Intl ? new Intl.Segmenter() : null;

/** What people take for the first letter, such as an emoji of several characters. */
function first(word: string): string {
  const letter = graphemes ? [...graphemes.segment(word)][0]?.segment : word.at(0);
  return (letter ?? "").toLocaleUpperCase();
}

function colourOf(id: string): number {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + character.charCodeAt(0)) % 9_973;
  return sum % COLOURS;
}
