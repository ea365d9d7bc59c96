import type { QuotedFragment } from "../gql/graphql";

type Summed = Pick<QuotedFragment, "body" | "deletedAt"> & {
  attachments: readonly Pick<QuotedFragment["attachments"][number], "name" | "contentType">[];
};

/** A message in a line: its text or, without one, what its files are. */
export function summaryOf({ body, deletedAt, attachments }: Summed): string {
  if (deletedAt !== null) return "Message deleted";
  if (body !== "") return body;
  return filesOf(attachments);
}

function filesOf(attachments: Summed["attachments"]): string {
  const [first] = attachments;
  if (!first) return "";
  const isPicture = ({ contentType }: { contentType: string }) => contentType.startsWith("image/");
  const count = attachments.length;
  if (attachments.every(isPicture)) return count === 1 ? "Picture" : `${String(count)} pictures`;
  return count === 1 ? first.name : `${String(count)} files`;
}
