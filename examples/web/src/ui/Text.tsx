import type { ReactNode } from "react";

const URLS = /https?:\/\/[^\s<>"]+/giu;
/** What stands after an address in a sentence. */
const AFTERTHOUGHTS = /[.,;:!?'’”»)\]]+$/u;

/** What a user wrote, in the direction of its own script. Never HTML; addresses of pages become links. */
export function Text({ children }: { children: string }) {
  const parts: ReactNode[] = [];
  let end = 0;
  for (const match of children.matchAll(URLS)) {
    const url = match[0].replace(AFTERTHOUGHTS, "");
    if (!URL.canParse(url)) continue;
    parts.push(children.slice(end, match.index));
    parts.push(
      <a key={match.index} href={url} target="_blank" rel="noopener noreferrer nofollow" dir="ltr">
        {url}
      </a>,
    );
    end = match.index + url.length;
  }
  parts.push(children.slice(end));
  return <>{parts}</>;
}
