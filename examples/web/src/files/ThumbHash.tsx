import { useEffect, useRef } from "react";
import { thumbHashToRGBA } from "thumbhash";

/** What a picture looks like from afar, until it is there. */
export function ThumbHash({ hash, className }: { hash: string | null; className: string | undefined }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const { current } = canvas;
    if (!current || hash === null) return;
    try {
      const { w, h, rgba } = thumbHashToRGBA(Uint8Array.from(atob(hash), (letter) => letter.charCodeAt(0)));
      current.width = w;
      current.height = h;
      current.getContext("2d")?.putImageData(new ImageData(new Uint8ClampedArray(rgba), w, h), 0, 0);
    } catch {
      // One of a later server, which this app can't read.
    }
  }, [hash]);
  return <canvas ref={canvas} className={className} aria-hidden="true" />;
}
