import type { KeyboardEvent } from "react";

/** What browsers report as the key of what an input method takes. */
const INPUT_METHOD = 229;

/** Enter alone, which isn't meant for an input method that is composing a word. */
export function isEnter(event: KeyboardEvent): boolean {
  const { key, shiftKey, nativeEvent } = event;
  // Safari reports the Enter that ends a composition after it, and as this key.
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- nothing else tells it apart
  const isInputMethod = nativeEvent.isComposing || nativeEvent.keyCode === INPUT_METHOD;
  return key === "Enter" && !shiftKey && !isInputMethod;
}
