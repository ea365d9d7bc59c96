import { useEffect, useId, useLayoutEffect, useRef, useState, type KeyboardEvent } from "react";
import { Icon } from "../ui/Icon";
import { findEmoji, GROUPED, type Emoji } from "./emoji";
import styles from "./EmojiPicker.module.css";

interface Props {
  label: string;
  /** Beside what it opens, where there is room; on a phone it is at the bottom. */
  anchor: Element;
  onPick: (emoji: string) => void;
  onClose: () => void;
}

const GAP_PX = 8;

/** All emoji, found by their names. The arrow keys go from one to the next, Escape closes. */
export function EmojiPicker({ label, anchor, onPick, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [search, setSearch] = useState("");
  const id = useId();
  useLayoutEffect(() => {
    const { current } = dialog;
    if (!current) return;
    if (!current.open) current.showModal();
    place(current, anchor.getBoundingClientRect());
  }, [anchor]);
  useEffect(() => {
    const { current } = dialog;
    // Anywhere else is the backdrop, which is the dialog itself.
    const outside = (event: MouseEvent) => {
      if (event.target === current) current?.close();
    };
    current?.addEventListener("click", outside);
    return () => current?.removeEventListener("click", outside);
  }, []);

  function pick(emoji: Emoji) {
    onPick(emoji.text);
    dialog.current?.close();
  }

  const found = search.trim() === "" ? undefined : findEmoji(search);
  const groups = found ? [{ name: "Found", emoji: found }] : GROUPED;
  return (
    <dialog ref={dialog} className={styles.picker} aria-label={label} onClose={onClose}>
      {/* eslint-disable-next-line jsx-a11y/no-static-element-interactions -- moves among the buttons in it */}
      <div className={styles.inside} onKeyDown={moveAmong}>
        <div className={styles.search}>
          <Icon name="search" size={18} />
          <input
            type="search"
            aria-label="Search emoji"
            placeholder="Search emoji"
            value={search}
            onChange={({ target }) => {
              setSearch(target.value);
            }}
            onKeyDown={(event) => {
              const [first] = found ?? [];
              if (event.key !== "Enter" || !first) return;
              event.preventDefault();
              pick(first);
            }}
          />
        </div>
        <div className={styles.groups}>
          {found?.length === 0 && (
            <p role="status" className={styles.none}>
              No emoji is called that.
            </p>
          )}
          {groups.map(({ name, emoji }, group) => (
            <div key={name} role="group" aria-labelledby={`${id}-${String(group)}`}>
              <h3 id={`${id}-${String(group)}`}>{name}</h3>
              <div className={styles.grid}>
                {emoji.map((one, index) => (
                  <button
                    key={one.text}
                    type="button"
                    aria-label={`${one.text} ${one.name}`}
                    title={one.name}
                    // One stop for Tab in each group; the arrow keys reach the others.
                    tabIndex={index === 0 ? 0 : -1}
                    onClick={() => {
                      pick(one);
                    }}
                  >
                    {one.text}
                  </button>
                ))}
              </div>
            </div>
          ))}
        </div>
      </div>
    </dialog>
  );
}

/** Above or below what it belongs to, and inside of the window. The style sheet has the phone's place. */
function place(dialog: HTMLDialogElement, anchor: DOMRect) {
  const { offsetWidth: width, offsetHeight: height } = dialog;
  const below = anchor.bottom + GAP_PX;
  const top = below + height < innerHeight ? below : anchor.top - GAP_PX - height;
  const inside = (at: number, most: number) => `${String(Math.max(GAP_PX, Math.min(at, most - GAP_PX)))}px`;
  dialog.style.setProperty("--left", inside(anchor.right - width, innerWidth - width));
  dialog.style.setProperty("--top", inside(top, innerHeight - height));
}

function moveAmong(event: KeyboardEvent<HTMLElement>) {
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  const at = buttons.findIndex((button) => button === event.target);
  const next = at < 0 ? fromSearch(event.key, buttons) : step(event.key, buttons, at);
  if (!next) return;
  event.preventDefault();
  next.focus();
}

function fromSearch(key: string, buttons: HTMLButtonElement[]) {
  return key === "ArrowDown" ? buttons[0] : undefined;
}

function step(key: string, buttons: HTMLButtonElement[], at: number): HTMLButtonElement | undefined {
  const button = buttons[at];
  if (!button) return undefined;
  const isRtl = getComputedStyle(button).direction === "rtl";
  if (key === "ArrowRight") return buttons[at + (isRtl ? -1 : 1)];
  if (key === "ArrowLeft") return buttons[at + (isRtl ? 1 : -1)];
  if (key !== "ArrowUp" && key !== "ArrowDown") return undefined;
  // The nearest one in the next line that has one.
  const { top, left } = button.getBoundingClientRect();
  const isNext = (one: DOMRect) => (key === "ArrowDown" ? one.top > top + 1 : one.top < top - 1);
  const distance = (one: DOMRect) => Math.abs(one.top - top) * 1_000 + Math.abs(one.left - left);
  return buttons
    .map((one) => ({ one, rect: one.getBoundingClientRect() }))
    .filter(({ rect }) => isNext(rect))
    .sort((one, other) => distance(one.rect) - distance(other.rect))[0]?.one;
}
