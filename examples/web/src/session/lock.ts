/**
 * Runs one task of a name at a time, in all tabs. Browsers have `navigator.locks` on https and on localhost alone; without
 * it, one at a time in this tab must do.
 */
export function lock<Answer>(name: string, task: () => Promise<Answer>): Promise<Answer> {
  const { navigator } = globalThis as { navigator?: { locks?: LockManager } };
  const locks = navigator?.locks;
  if (locks) return locks.request(name, task);
  const turn = (turns.get(name) ?? Promise.resolve()).then(task);
  turns.set(
    name,
    turn.then(
      () => undefined,
      () => undefined,
    ),
  );
  return turn;
}

const turns = new Map<string, Promise<void>>();
