import { useQuery } from "urql";
import { paths } from "../app/route";
import { UnreadDocument } from "../gql/graphql";
import { Icon } from "../ui/Icon";
import styles from "./MentionsLink.module.css";

/** The way to the mentions of the viewer, with how many of them are unread. `useBadge` keeps the number. */
export function MentionsLink() {
  const [{ data }] = useQuery({ query: UnreadDocument, requestPolicy: "cache-only" });
  const count = data?.viewer.unread.mentions ?? 0;
  const label = count > 0 ? `Mentions of you, ${String(count)} unread` : "Mentions of you";
  return (
    <a className={styles.link} href={paths.mentions} aria-label={label} title={label}>
      <Icon name="at" />
      {count > 0 && <span className={styles.badge}>{count > 99 ? "99+" : count}</span>}
    </a>
  );
}
