import type { ReactNode } from "react";
import { mentionPattern } from "../mentions/mentions";
import { cx } from "./cx";
import styles from "./Text.module.css";

const URLS = /https?:\/\/[^\s<>"]+/giu;
/** What stands after an address in a sentence. */
const AFTERTHOUGHTS = /[.,;:!?'’”»)\]]+$/u;

interface Props {
  children: string;
  /** The names of those whom the text mentions, without the @. */
  mentions?: readonly string[];
  /** The one of them that means the viewer, if any. */
  viewerName?: string | undefined;
}

/** What a user wrote, in the direction of its own script. Never HTML; addresses of pages become links. */
export function Text({ children, mentions = [], viewerName }: Props) {
  const pattern = mentionPattern(mentions);
  const parts: ReactNode[] = [];
  const plain = (from: number, to: number) => {
    parts.push(...withMentions(children.slice(from, to), pattern, viewerName, from));
  };
  let end = 0;
  for (const match of children.matchAll(URLS)) {
    const url = match[0].replace(AFTERTHOUGHTS, "");
    if (!URL.canParse(url)) continue;
    plain(end, match.index);
    parts.push(
      <a key={match.index} href={url} target="_blank" rel="noopener noreferrer nofollow" dir="ltr">
        {url}
      </a>,
    );
    end = match.index + url.length;
  }
  plain(end, children.length);
  return <>{parts}</>;
}

function withMentions(
  text: string,
  pattern: RegExp | undefined,
  viewerName: string | undefined,
  from: number,
) {
  const parts: ReactNode[] = [];
  let end = 0;
  for (const match of pattern ? text.matchAll(pattern) : []) {
    parts.push(text.slice(end, match.index));
    parts.push(
      <bdi key={from + match.index} className={cx(styles.mention, match[1] === viewerName && styles.viewer)}>
        {match[0]}
      </bdi>,
    );
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}
