const PATHS = {
  at: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM16 8v5.5a2.5 2.5 0 0 0 5 0V12a9 9 0 1 0-3.5 7.1",
  back: "M15 5l-7 7 7 7",
  bell: "M6 10a6 6 0 0 1 12 0v4l2 3H4l2-3zM10 20h4",
  "bell-off": "M6 12v2l-2 3h13M8.3 5.3A6 6 0 0 1 18 10v4l1 1.5M10 20h4M4 4l16 16",
  bubbles:
    "M4 6.5A1.5 1.5 0 0 1 5.5 5h9A1.5 1.5 0 0 1 16 6.5v5a1.5 1.5 0 0 1-1.5 1.5H9l-3 3v-3h-.5A1.5 1.5 0 0 1 4 11.5zM19 9.5h.5A1.5 1.5 0 0 1 21 11v5a1.5 1.5 0 0 1-1.5 1.5H19v3l-3-3h-4",
  close: "M6 6l12 12M18 6L6 18",
  compose: "M13 5H6a1 1 0 0 0-1 1v12a1 1 0 0 0 1 1h12a1 1 0 0 0 1-1v-7M10 14l.5-3L18 3.5 20.5 6 13 13.5z",
  down: "M6 9l6 6 6-6",
  edit: "M4 20l1-4L16.5 4.5l3 3L8 19z",
  download: "M12 4v11M7 10.5l5 5 5-5M5 20h14",
  file: "M13 3H7a1 1 0 0 0-1 1v16a1 1 0 0 0 1 1h10a1 1 0 0 0 1-1V8zM13 3v5h5",
  leave: "M10 5H6a1 1 0 0 0-1 1v12a1 1 0 0 0 1 1h4M14 8l4 4-4 4M18 12H9",
  next: "M9 5l7 7-7 7",
  "paper-clip":
    "M20 11.5l-7.8 7.8a5 5 0 0 1-7-7l8-8a3.3 3.3 0 0 1 4.7 4.7l-8 8a1.7 1.7 0 0 1-2.4-2.4l7.3-7.3",
  people:
    "M9 5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7zM3 20a6 6 0 0 1 12 0M16 5.3a3.5 3.5 0 0 1 0 6.4M18 14.6a6 6 0 0 1 3 5.4",
  pin: "M9 4h6M10 4v6l-3 4h10l-3-4V4M12 14v6",
  reply: "M10 6L4 12l6 6M4 12h9a7 7 0 0 1 7 7",
  search: "M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM16 16l4.5 4.5",
  send: "M4 12l16-8-5 16-3.5-6.5zM11.5 13.5L20 4",
  smile: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18zM8 14a4.5 4.5 0 0 0 8 0M9 9.5v.2M15 9.5v.2",
  "sign-out": "M12 4v8M7 7a7 7 0 1 0 10 0",
  unread: "M4 6h16v12H4zM4 7l8 6 8-6",
  trash: "M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12M10.5 10.5v5M13.5 10.5v5",
  warning: "M12 4l9 16H3zM12 10v4M12 16.8v.4",
} as const;

export type IconName = keyof typeof PATHS;

/** What points on or back, which is elsewhere in a text from right to left. */
const DIRECTED = new Set<IconName>(["back", "leave", "next", "reply", "send"]);

/** A decoration: what it means is said by the text or the label beside it. */
export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      className={DIRECTED.has(name) ? "directed" : undefined}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
