import { useEffect, useRef, useState } from "react";
import { useQuery } from "urql";
import { useChat } from "../app/chat-context";
import { paths, replace } from "../app/route";
import {
  CreateRoomDocument,
  InitiateChatDocument,
  PeopleDocument,
  type PersonFragment,
} from "../gql/graphql";
import { explain, failureOf } from "../graphql/failure";
import { newId } from "../outbox/new-id";
import { Button } from "../ui/Button";
import { EmptyState } from "../ui/EmptyState";
import { Icon } from "../ui/Icon";
import { Skeleton } from "../ui/Skeleton";
import { PersonChoice } from "./PersonChoice";
import styles from "./NewChat.module.css";
import { useLate } from "./useLate";

const TYPED_MS = 200;

/** Search for people, choose one or several, and open the room of exactly them, or make a group of them with a name. */
export function NewChat() {
  const { client, viewerId } = useChat();
  const [search, setSearch] = useState("");
  const [chosen, setChosen] = useState<readonly PersonFragment[]>([]);
  const [name, setName] = useState("");
  // The same again, so that a lost answer doesn't make two groups.
  const [clientId] = useState(newId);
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

  const isGroup = chosen.length > 1 && name.trim() !== "";

  async function start() {
    setIsBusy(true);
    const ids = chosen.map(({ id }) => id);
    const isSupport = chosen.some(({ type }) => type === "SUPPORT");
    const type = isSupport ? "CONSUMER_TO_SUPPORT" : "CONSUMER_TO_CONSUMER";
    const { room, error: refused } = isGroup ? await create(ids) : await initiate(ids, type);
    setIsBusy(false);
    if (room) replace(paths.room(room.id));
    else setProblem(explain(failureOf(refused)));
  }

  async function create(ids: string[]) {
    const input = { name, clientId, members: ids.map((userId) => ({ userId })) };
    const { data: made, error: refused } = await client.mutation(CreateRoomDocument, { input }).toPromise();
    return { room: made?.createRoom.room, error: refused };
  }

  async function initiate(userIds: string[], type: "CONSUMER_TO_SUPPORT" | "CONSUMER_TO_CONSUMER") {
    const variables = { userIds, type };
    const { data: opened, error: refused } = await client
      .mutation(InitiateChatDocument, variables)
      .toPromise();
    return { room: opened?.initiateChat.room, error: refused };
  }

  return (
    <section className={styles.page} aria-labelledby="new-chat">
      <header className={styles.header}>
        <a className={styles.back} href={paths.rooms} aria-label="Back to conversations">
          <Icon name="back" />
        </a>
        <h1 id="new-chat">New conversation</h1>
        <Button disabled={chosen.length === 0 || isBusy} onClick={() => void start()}>
          {isGroup ? "Create group" : "Start chat"}
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
      {chosen.length > 1 && (
        <label className={styles.name}>
          Name of the group
          <input
            type="text"
            placeholder="None: everybody’s names"
            dir="auto"
            maxLength={100}
            value={name}
            onChange={({ target }) => {
              setName(target.value);
            }}
          />
        </label>
      )}
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
