import { Avatar } from "../ui/Avatar";
import { cx } from "../ui/cx";
import { EVERYBODY } from "./mentions";
import styles from "./Suggestions.module.css";
import type { useMentions } from "./useMentions";

/** The members who may be meant. The focus stays in the field, which says to screen readers which one is chosen. */
export function Suggestions({ mentions }: { mentions: ReturnType<typeof useMentions> }) {
  const { options, current, listId, take } = mentions;
  return (
    <>
      <p role="status" className="visually-hidden">
        {options.length > 0 && `${String(options.length)} to mention`}
      </p>
      {options.length > 0 && (
        <div id={listId} role="listbox" aria-label="People to mention" className={styles.suggestions}>
          {options.map((person, index) => (
            // The keys are the field's, which keeps the focus.
            // eslint-disable-next-line jsx-a11y/click-events-have-key-events
            <div
              key={person.id}
              id={`${listId}-${String(index)}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === current}
              className={cx(styles.person, index === current && styles.current)}
              onPointerDown={(event) => {
                event.preventDefault();
              }}
              onClick={() => {
                take(person);
              }}
            >
              {person.id !== EVERYBODY && <Avatar people={[person]} size="small" />}
              <span>
                <bdi>{person.displayName}</bdi>
                {person.id === EVERYBODY && <span className={styles.hint}> in this conversation</span>}
                {person.username !== undefined && <span className={styles.hint}> @{person.username}</span>}
              </span>
            </div>
          ))}
        </div>
      )}
    </>
  );
}
