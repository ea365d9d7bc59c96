import { useEffect, useRef, useState } from "react";
import { useQuery } from "urql";
import { useChat } from "../app/chat-context";
import { paths, replace } from "../app/route";
import { InitiateChatDocument, PeopleDocument, type PersonFragment } from "../gql/graphql";
import { explain, failureOf } from "../graphql/failure";
import { Button } from "../ui/Button";
import { EmptyState } from "../ui/EmptyState";
import { Icon } from "../ui/Icon";
import { Skeleton } from "../ui/Skeleton";
import { PersonChoice } from "./PersonChoice";
import styles from "./NewChat.module.css";
import { useLate } from "./useLate";

const TYPED_MS = 200;

/** Search for people, choose one or several, and open the room of exactly them. */
export function NewChat() {
  const { client, viewerId } = useChat();
  const [search, setSearch] = useState("");
  const [chosen, setChosen] = useState<readonly PersonFragment[]>([]);
  const [problem, setProblem] = useState("");
  const [isBusy, setIsBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const [{ data, error, fetching }, again] = useQuery({
    query: PeopleDocument,
    variables: { search: useLate(search.trim(), TYPED_MS) },
    requestPolicy: "cache-and-network",
  });

  const isChosen = (person: PersonFragment) => chosen.some(({ id }) => id === person.id);
  const found = data?.users.nodes.filter(({ id }) => id !== viewerId) ?? [];
  // Those who were chosen stay, whatever is searched for next.
  const shown = [...chosen.filter(({ id }) => !found.some((person) => person.id === id)), ...found];

  function toggle(person: PersonFragment) {
    setChosen(isChosen(person) ? chosen.filter(({ id }) => id !== person.id) : [...chosen, person]);
  }

  async function start() {
    setIsBusy(true);
    const isSupport = chosen.some(({ type }) => type === "SUPPORT");
    const { data: opened, error: refused } = await client
      .mutation(InitiateChatDocument, {
        userIds: chosen.map(({ id }) => id),
        type: isSupport ? "CONSUMER_TO_SUPPORT" : "CONSUMER_TO_CONSUMER",
      })
      .toPromise();
    setIsBusy(false);
    if (opened) replace(paths.room(opened.initiateChat.room.id));
    else setProblem(explain(failureOf(refused)));
  }

  return (
    <section className={styles.page} aria-labelledby="new-chat">
      <header className={styles.header}>
        <a className={styles.back} href={paths.rooms} aria-label="Back to conversations">
          <Icon name="back" />
        </a>
        <h1 id="new-chat">New conversation</h1>
        <Button disabled={chosen.length === 0 || isBusy} onClick={() => void start()}>
          Start chat
        </Button>
      </header>
      <div className={styles.search}>
        <Icon name="search" />
        <input
          ref={field}
          type="search"
          aria-label="Search people"
          placeholder="Search by name"
          dir="auto"
          maxLength={64}
          value={search}
          onChange={({ target }) => {
            setSearch(target.value);
          }}
        />
      </div>
      <p role="alert" className={styles.problem}>
        {problem || (error && !data && explain(failureOf(error)))}
      </p>
      {error && !data && (
        <Button
          look="quiet"
          className={styles.again}
          onClick={() => {
            again();
          }}
        >
          Try again
        </Button>
      )}
      {!data && fetching && <Skeleton look="rows" count={5} />}
      {data && shown.length === 0 && (
        <EmptyState icon="search" title="Nobody found">
          <p>Names are found by how they begin.</p>
        </EmptyState>
      )}
      {shown.length > 0 && (
        <ul className={styles.people} aria-label="People">
          {shown.map((person) => (
            <PersonChoice
              key={person.id}
              person={person}
              isChosen={isChosen(person)}
              onToggle={() => {
                toggle(person);
              }}
            />
          ))}
        </ul>
      )}
    </section>
  );
}
