import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";
import type { Line } from "./timeline";

/** So near to the end counts as there. */
const END_PX = 48;

/**
 * Keeps what the reader looks at in its place: at the end, new messages scroll up; elsewhere, nothing moves when older
 * ones are put above or the window changes its size. The viewer's own new message always comes into sight.
 */
export function useKeptScroll(
  scrollerRef: RefObject<HTMLElement | null>,
  lines: readonly Line[],
  onEndChange: (isAtEnd: boolean) => void,
) {
  const [isAtEnd, setIsAtEnd] = useState(true);
  const atEnd = useRef(true);
  const before = useRef({ height: 0, firstKey: "", lastKey: "" });

  const note = useCallback(
    (is: boolean) => {
      if (is === atEnd.current) return;
      atEnd.current = is;
      setIsAtEnd(is);
      onEndChange(is);
    },
    [onEndChange],
  );

  const toEnd = useCallback(() => {
    scrollerRef.current?.scrollTo({ top: scrollerRef.current.scrollHeight });
    note(true);
  }, [scrollerRef, note]);

  const leaveEnd = useCallback(() => {
    note(false);
    // A list that is too short to be scrolled is at its end all the same.
    requestAnimationFrame(() => {
      const element = scrollerRef.current;
      if (element) note(element.scrollHeight - element.scrollTop - element.clientHeight < END_PX);
    });
  }, [note, scrollerRef]);

  useLayoutEffect(() => {
    const element = scrollerRef.current;
    if (!element) return;
    const first = lines.find(({ kind }) => kind === "message");
    const last = lines.at(-1);
    const now = { height: element.scrollHeight, firstKey: first?.key ?? "", lastKey: last?.key ?? "" };
    const { height, firstKey, lastKey } = before.current;
    if (atEnd.current || (now.lastKey !== lastKey && last?.kind === "unsent")) {
      toEnd();
    } else if (now.firstKey !== firstKey && now.lastKey === lastKey) {
      element.scrollTop += now.height - height;
    }
    before.current = now;
  }, [lines, scrollerRef, toEnd]);

  useEffect(() => {
    const element = scrollerRef.current;
    if (!element) return;
    const scrolled = () => {
      note(element.scrollHeight - element.scrollTop - element.clientHeight < END_PX);
    };
    const resized = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTop = element.scrollHeight;
      before.current.height = element.scrollHeight;
    });
    element.addEventListener("scroll", scrolled, { passive: true });
    resized.observe(element);
    for (const child of element.children) resized.observe(child);
    return () => {
      element.removeEventListener("scroll", scrolled);
      resized.disconnect();
    };
  }, [scrollerRef, note]);

  return { isAtEnd, toEnd, leaveEnd };
}
