import type { KeyboardEvent } from "react";

/**
 * The keyboard enters the list at its last message; the arrow keys go from message to message. What can be done with a
 * message follows it in the order of Tab while it has the focus, so that a long list is no long way to the composer.
 */
export function moveFocus(event: KeyboardEvent<HTMLElement>) {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  const { target, currentTarget } = event;
  if (step === undefined || !(target instanceof HTMLElement) || target.tagName !== "ARTICLE") return;
  const messages = [...currentTarget.querySelectorAll("article")];
  const next = messages[messages.indexOf(target) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}
