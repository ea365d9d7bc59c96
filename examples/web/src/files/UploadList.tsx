import { useEffect, useRef } from "react";
import { useChat } from "../app/chat-context";
import { Icon } from "../ui/Icon";
import { IconButton } from "../ui/IconButton";
import { explainUpload, sizeOf } from "./sizes";
import type { Upload } from "./uploads";
import styles from "./UploadList.module.css";

/** Above the field: the files that the message will have, and how far they are. */
export function UploadList({ uploads }: { uploads: readonly Upload[] }) {
  if (uploads.length === 0) return null;
  return (
    <ul className={styles.uploads} aria-label="Files of this message">
      {uploads.map((upload) => (
        <UploadLine key={upload.key} upload={upload} />
      ))}
    </ul>
  );
}

function UploadLine({ upload: { key, file, state, progress, failure } }: { upload: Upload }) {
  const { uploads } = useChat();
  return (
    <li className={styles.upload}>
      <FilePreview file={file} />
      <div className={styles.text}>
        <span className="one-line">
          <bdi>{file.name}</bdi>
        </span>
        {failure ? (
          <span role="alert" className={styles.problem}>
            {explainUpload(failure)}
          </span>
        ) : state === "ready" ? (
          <span className={styles.size}>{sizeOf(file.size)}</span>
        ) : (
          <progress aria-label={`Sending ${file.name}`} value={progress} max={1} />
        )}
      </div>
      {failure && (
        <button
          type="button"
          className={styles.again}
          onClick={() => {
            uploads.retry(key);
          }}
        >
          Try again
        </button>
      )}
      <IconButton
        icon="close"
        label={state === "ready" || failure ? `Remove ${file.name}` : `Cancel ${file.name}`}
        isSmall
        onClick={() => {
          uploads.cancel(key);
        }}
      />
    </li>
  );
}

const SIDE_PX = 80;

/** A picture before it is anywhere else, drawn by this page: its policy loads pictures of no other place. */
function FilePreview({ file }: { file: File }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const isPicture = file.type.startsWith("image/");
  useEffect(() => {
    if (!isPicture) return;
    let isOver = false;
    createImageBitmap(file)
      .then((picture) => {
        const context = canvas.current?.getContext("2d");
        if (!isOver && context) {
          const scale = Math.max(SIDE_PX / picture.width, SIDE_PX / picture.height);
          const [width, height] = [picture.width * scale, picture.height * scale];
          context.drawImage(picture, (SIDE_PX - width) / 2, (SIDE_PX - height) / 2, width, height);
        }
        picture.close();
      })
      .catch(() => undefined); // The server says what is wrong with it.
    return () => {
      isOver = true;
    };
  }, [file, isPicture]);
  return (
    <span className={styles.preview} aria-hidden="true">
      {isPicture ? <canvas ref={canvas} width={SIDE_PX} height={SIDE_PX} /> : <Icon name="file" />}
    </span>
  );
}
