import { useId, useRef, useState, type KeyboardEvent, type RefObject } from "react";
import { beingWritten, EVERYBODY, mentionedIn, suggest, type Person } from "./mentions";

interface Field {
  fieldRef: RefObject<HTMLTextAreaElement | null>;
  text: string;
  /** Members of the room, without the viewer. */
  people: readonly Person[];
  mayMentionRoom: boolean;
  onChange: (text: string) => void;
}

const ALL: Person = { id: EVERYBODY, displayName: EVERYBODY };

/** Suggests members while an @ is being written: the arrow keys choose, Enter and Tab take, Escape closes. */
export function useMentions({ fieldRef, text, people, mayMentionRoom, onChange }: Field) {
  const [cursor, setCursor] = useState(0);
  const [active, setActive] = useState(0);
  /** Where the @ is for which nothing is to be suggested. */
  const [closedAt, setClosedAt] = useState<number>();
  const chosen = useRef(new Map<string, string>());
  const listId = useId();
  const written = beingWritten(text, cursor);
  const isOpen = written !== undefined && written.from !== closedAt;
  const everybody = mayMentionRoom ? [...people, ALL] : people;
  const options = isOpen ? suggest(written.search, everybody) : [];
  const current = Math.min(active, Math.max(0, options.length - 1));

  function take(person: Person) {
    if (!written) return;
    const mention = `@${person.displayName} `;
    const rest = text.slice(cursor).replace(/^ /, "");
    chosen.current.set(person.displayName, person.id);
    onChange(text.slice(0, written.from) + mention + rest);
    const at = written.from + mention.length;
    setCursor(at);
    setActive(0);
    // Once the field has the new text.
    requestAnimationFrame(() => {
      fieldRef.current?.focus();
      fieldRef.current?.setSelectionRange(at, at);
    });
  }

  /** Whether the key was meant for the suggestions. */
  function keyDown(event: KeyboardEvent): boolean {
    const option = options[current];
    if (!option || event.nativeEvent.isComposing) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) setActive((current + step + options.length) % options.length);
    else if ((event.key === "Enter" && !event.shiftKey) || (event.key === "Tab" && !event.shiftKey))
      take(option);
    else if (event.key === "Escape") setClosedAt(written?.from);
    else return false;
    event.preventDefault();
    return true;
  }

  return {
    keyDown,
    take,
    options,
    current,
    listId,
    /** Whom the text mentions. */
    mentioned: () => {
      const { mentions, mentionsRoom } = mentionedIn(text, people, chosen.current);
      return { mentions, mentionsRoom: mentionsRoom && mayMentionRoom };
    },
    /** To be called whenever the cursor may have moved. */
    moved: (field: HTMLTextAreaElement) => {
      setCursor(field.selectionStart);
      // The next @ is another one, though it may stand at the same place.
      if (!beingWritten(field.value, field.selectionStart)) setClosedAt(undefined);
    },
    /** For the field. */
    aria: {
      "aria-autocomplete": "list" as const,
      "aria-haspopup": "listbox" as const,
      "aria-controls": options.length > 0 ? listId : undefined,
      "aria-activedescendant": options.length > 0 ? `${listId}-${String(current)}` : undefined,
    },
  };
}
