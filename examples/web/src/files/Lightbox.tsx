import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import { cx } from "../ui/cx";
import { Icon } from "../ui/Icon";
import { IconButton } from "../ui/IconButton";
import type { PictureFile } from "./Attachments";
import styles from "./Lightbox.module.css";
import { useLoading } from "./Picture";
import { linkOf } from "./send-file";
import { ThumbHash } from "./ThumbHash";

interface Props {
  pictures: readonly PictureFile[];
  beginAt: number;
  onStale: () => Promise<unknown>;
  onClose: () => void;
}

/**
 * The pictures of a message, one at a time and as large as the window. The arrow keys go to the next, Escape closes; the
 * browser keeps the focus inside, and gives it back.
 */
export function Lightbox({ pictures, beginAt, onStale, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [at, setAt] = useState(beginAt);
  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);
  const index = Math.min(at, pictures.length - 1);
  const picture = pictures[index];
  if (!picture) return null;
  const count = pictures.length;
  const go = (step: number) => {
    setAt((index + step + count) % count);
  };

  function keyDown(event: KeyboardEvent<HTMLElement>) {
    const isRtl = getComputedStyle(event.currentTarget).direction === "rtl";
    const step = { ArrowRight: isRtl ? -1 : 1, ArrowLeft: isRtl ? 1 : -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    go(step);
  }

  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- the arrow keys work wherever the focus is
    <dialog
      ref={dialog}
      className={styles.lightbox}
      aria-label="Pictures"
      onClose={onClose}
      onKeyDown={keyDown}
    >
      <header className={styles.header}>
        <p className={cx("one-line", styles.name)} role="status">
          <bdi>{picture.name}</bdi>
          {count > 1 && ` (${String(index + 1)} of ${String(count)})`}
        </p>
        {picture.url !== null && (
          <a
            className={styles.download}
            href={linkOf(picture.url)}
            download={picture.name}
            target="_blank"
            rel="noopener"
            aria-label="Download"
            title="Download"
          >
            <Icon name="download" />
          </a>
        )}
        <IconButton
          icon="close"
          label="Close"
          className={styles.button}
          onClick={() => dialog.current?.close()}
        />
      </header>
      <div className={styles.stage}>
        <Large key={picture.id} picture={picture} onStale={onStale} />
        {count > 1 && (
          <>
            <IconButton
              icon="back"
              label="Previous picture"
              className={cx(styles.button, styles.previous)}
              onClick={() => {
                go(-1);
              }}
            />
            <IconButton
              icon="next"
              label="Next picture"
              className={cx(styles.button, styles.next)}
              onClick={() => {
                go(1);
              }}
            />
          </>
        )}
      </div>
    </dialog>
  );
}

function Large({ picture, onStale }: { picture: PictureFile; onStale: () => Promise<unknown> }) {
  const { name, width, height, thumbhash, thumbnailUrl, largeUrl } = picture;
  const url = largeUrl ?? thumbnailUrl;
  const { isThere, isLost, loaded, failed } = useLoading(url, onStale);
  const frame = useRef<HTMLDivElement>(null);
  useEffect(() => {
    frame.current?.style.setProperty("--ratio", String(width / height));
    frame.current?.style.setProperty("--width", `${String(width)}px`);
  }, [width, height]);
  return (
    <div ref={frame} className={styles.frame}>
      <ThumbHash hash={thumbhash} className={styles.hash} />
      {isLost ? (
        <p className={styles.lost}>This picture can’t be shown</p>
      ) : (
        <img
          className={cx(styles.image, isThere && styles.there)}
          src={linkOf(url)}
          width={width}
          height={height}
          alt={name}
          onLoad={loaded}
          onError={failed}
        />
      )}
    </div>
  );
}
