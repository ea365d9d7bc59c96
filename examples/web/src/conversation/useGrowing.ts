import { useLayoutEffect, type RefObject } from "react";

/** Makes a field as high as its text; the style sheet says how high at most. */
export function useGrowing(fieldRef: RefObject<HTMLTextAreaElement | null>, text: string) {
  useLayoutEffect(() => {
    const element = fieldRef.current;
    if (!element) return;
    element.style.blockSize = "auto";
    const borders = element.offsetHeight - element.clientHeight;
    element.style.blockSize = `${String(element.scrollHeight + borders)}px`;
  }, [fieldRef, text]);
}
