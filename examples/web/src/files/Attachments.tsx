import { useState } from "react";
import type { AttachmentPartsFragment } from "../gql/graphql";
import { cx } from "../ui/cx";
import styles from "./Attachments.module.css";
import { FileCard } from "./FileCard";
import { Lightbox } from "./Lightbox";
import { Picture } from "./Picture";
import { useFreshLinks } from "./useFreshLinks";

/** A picture that browsers show. */
export type PictureFile = AttachmentPartsFragment & { width: number; height: number; thumbnailUrl: string };

interface Props {
  messageId: string;
  attachments: readonly AttachmentPartsFragment[];
}

/** The files of a message: its pictures as a grid, others as cards. */
export function Attachments({ messageId, attachments }: Props) {
  const [shown, setShown] = useState<number>();
  const freshen = useFreshLinks(messageId);
  const pictures = attachments.filter(isPicture);
  const others = attachments.filter((attachment) => !isPicture(attachment));
  if (attachments.length === 0) return null;
  return (
    <div className={styles.attachments}>
      {pictures.length > 0 && (
        <div className={cx(styles.grid, pictures.length > 1 && styles.several)} data-count={pictures.length}>
          {pictures.map((picture, index) => (
            <Picture
              key={picture.id}
              picture={picture}
              isAlone={pictures.length === 1}
              onStale={freshen}
              onOpen={() => {
                setShown(index);
              }}
            />
          ))}
        </div>
      )}
      {others.map((file) => (
        <FileCard key={file.id} file={file} onFreshen={freshen} />
      ))}
      {shown !== undefined && pictures.length > 0 && (
        <Lightbox
          pictures={pictures}
          beginAt={shown}
          onStale={freshen}
          onClose={() => {
            setShown(undefined);
          }}
        />
      )}
    </div>
  );
}

function isPicture(attachment: AttachmentPartsFragment): attachment is PictureFile {
  const { width, height, thumbnailUrl } = attachment;
  return width !== null && height !== null && thumbnailUrl !== null;
}
