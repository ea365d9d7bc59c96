import { useState, type MouseEvent } from "react";
import type { AttachmentPartsFragment } from "../gql/graphql";
import { Icon } from "../ui/Icon";
import styles from "./Attachments.module.css";
import { linkOf } from "./send-file";
import { sizeOf } from "./sizes";

interface Props {
  file: AttachmentPartsFragment;
  onFreshen: () => Promise<readonly AttachmentPartsFragment[] | undefined>;
}

/** A file that isn't shown here, to be downloaded. */
export function FileCard({ file, onFreshen }: Props) {
  const [problem, setProblem] = useState("");

  /** The page may have been open for longer than its link is good. */
  async function download(event: MouseEvent) {
    event.preventDefault();
    const fresh = (await onFreshen())?.find(({ id }) => id === file.id)?.url;
    if (fresh == null) {
      setProblem("This can’t be had now.");
      return;
    }
    setProblem("");
    const link = document.createElement("a");
    Object.assign(link, { href: linkOf(fresh), download: file.name });
    // Browsers don't heed `download` for another origin, and would leave the app.
    if (link.origin !== window.location.origin) Object.assign(link, { target: "_blank", rel: "noopener" });
    link.click();
  }

  return (
    <a
      className={styles.card}
      href={file.url === null ? undefined : linkOf(file.url)}
      download={file.name}
      target="_blank"
      rel="noopener"
      aria-label={`Download ${file.name}, ${sizeOf(file.size)}`}
      onClick={(event) => void download(event)}
    >
      <Icon name="file" size={24} />
      <span className={styles.names}>
        <span className="one-line">
          <bdi>{file.name}</bdi>
        </span>
        <span className={styles.size}>{problem || sizeOf(file.size)}</span>
      </span>
      <Icon name="download" />
    </a>
  );
}
