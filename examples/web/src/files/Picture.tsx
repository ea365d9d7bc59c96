import { useRef, useState } from "react";
import { cx } from "../ui/cx";
import type { PictureFile } from "./Attachments";
import styles from "./Attachments.module.css";
import { linkOf } from "./send-file";
import { ThumbHash } from "./ThumbHash";

/** The longest side of a picture that is alone in its message. */
const SIDE_PX = 320;

interface Props {
  picture: PictureFile;
  isAlone: boolean;
  onStale: () => Promise<unknown>;
  onOpen: () => void;
}

/** A picture in its message. Its place is as large before it is there as afterwards. */
export function Picture({ picture, isAlone, onStale, onOpen }: Props) {
  const { name, width, height, thumbhash, thumbnailUrl, largeUrl } = picture;
  const { isThere, isLost, loaded, failed } = useLoading(thumbnailUrl, onStale);
  const scale = Math.min(1, SIDE_PX / width, SIDE_PX / height);
  const own = {
    inlineSize: `${String(Math.round(width * scale))}px`,
    aspectRatio: `${String(width)} / ${String(height)}`,
  };
  return (
    <button
      type="button"
      className={styles.picture}
      style={isAlone ? own : undefined}
      aria-label={`Show ${name}`}
      aria-haspopup="dialog"
      onClick={onOpen}
    >
      <ThumbHash hash={thumbhash} className={styles.hash} />
      {isLost ? (
        <span className={styles.lost}>This picture can’t be shown</span>
      ) : (
        <img
          className={cx(styles.image, isThere && styles.there)}
          src={linkOf(thumbnailUrl)}
          srcSet={largeUrl == null ? undefined : `${linkOf(thumbnailUrl)} 320w, ${linkOf(largeUrl)} 1280w`}
          sizes={isAlone ? `${String(SIDE_PX)}px` : "160px"}
          width={width}
          height={height}
          alt={name}
          loading="lazy"
          decoding="async"
          onLoad={loaded}
          onError={failed}
        />
      )}
    </button>
  );
}

/** Whether a picture is there. If it doesn't come, its link is asked for anew, once. */
export function useLoading(url: string, onStale: () => Promise<unknown>) {
  const [there, setThere] = useState<string>();
  const [isLost, setIsLost] = useState(false);
  const asked = useRef(false);
  return {
    // A new link to the same picture has it from the cache, or nearly so.
    isThere: there !== undefined,
    isLost,
    loaded: () => {
      setThere(url);
      asked.current = false;
    },
    failed: () => {
      if (asked.current) {
        setIsLost(true);
        return;
      }
      asked.current = true;
      void onStale();
    },
  };
}
