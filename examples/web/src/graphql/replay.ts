import type { Exchange, OperationResult } from "@urql/core";
import { fromArray, mergeMap, pipe, tap } from "wonka";

/**
 * Gives the cache the latest events once more after each answer that was on its way when they came. The answer may be
 * older than they are, and has been written over them. Events carry whole objects, so that one too many does no harm.
 *
 * Stands directly behind the cache. What it repeats is marked, for those who act on events: `isRepeated`.
 */
export const replayExchange: Exchange = ({ forward }) => {
  /** By the key of an operation, how many events had come when it was sent. */
  const underWay = new Map<number, number>();
  let events: OperationResult[] = [];
  let forgotten = 0;

  function forgetOld() {
    const oldest = Math.min(forgotten + events.length, ...underWay.values());
    events = events.slice(oldest - forgotten);
    forgotten = oldest;
  }

  return (operations) =>
    pipe(
      operations,
      tap(({ kind, key }) => {
        if (kind === "query" || kind === "mutation") underWay.set(key, forgotten + events.length);
        else if (kind === "teardown") underWay.delete(key);
      }),
      forward,
      mergeMap((result) => {
        const { kind, key } = result.operation;
        if (kind === "subscription") {
          if (underWay.size > 0) events.push(result);
          return fromArray([result]);
        }
        const sentAt = underWay.get(key);
        underWay.delete(key);
        const missed = sentAt === undefined ? [] : events.slice(sentAt - forgotten);
        forgetOld();
        return fromArray([result, ...missed.map(repeated)]);
      }),
    );
};

function repeated(event: OperationResult): OperationResult {
  return { ...event, extensions: { ...event.extensions, [REPEATED]: true } };
}

export function isRepeated({ extensions }: Pick<OperationResult, "extensions">): boolean {
  return extensions?.[REPEATED] === true;
}

const REPEATED = "repeated";
