import { useChat } from "../app/chat-context";
import type { MessagePartsFragment } from "../gql/graphql";
import { summaryOf } from "./summary";

interface Props {
  message: MessagePartsFragment | undefined;
  /** The newest message when the conversation was opened. */
  newestSeq: number;
}

/** Reads to screen readers what others say. The list itself would have them read pages of older messages, too. */
export function Announcer({ message, newestSeq }: Props) {
  const { viewerId } = useChat();
  const isNews =
    message !== undefined &&
    message.seq > newestSeq &&
    message.author?.id !== viewerId &&
    message.deletedAt === null;
  return (
    <p role="status" aria-label="Newest message" className="visually-hidden">
      {isNews && `${message.author?.displayName ?? ""}: ${summaryOf(message)}`}
    </p>
  );
}
