import { useEffect, useState } from "react";
import { explain, failureOf, type Failure } from "../graphql/failure";
import { Button } from "../ui/Button";
import { Icon } from "../ui/Icon";
import { session } from ".";
import type { Tokens } from "./session";
import styles from "./SignInPage.module.css";

/** Begins the session of whoever is signed in to the app, and asks for no password. */
export function BackendSignIn({ fromBackend }: { fromBackend: () => Promise<Tokens> }) {
  const [attempt, setAttempt] = useState(0);
  const [failure, setFailure] = useState<Failure>();

  useEffect(() => {
    let isCurrent = true;
    fromBackend().then(
      (tokens) => {
        if (isCurrent) session.begin(tokens);
      },
      (error: unknown) => {
        if (isCurrent) setFailure(failureOf(error));
      },
    );
    return () => {
      isCurrent = false;
    };
  }, [attempt, fromBackend]);

  return (
    <main className={styles.page}>
      <div className={styles.card}>
        <span className={styles.mark}>
          <Icon name="bubbles" size={32} />
        </span>
        <h1>{failure ? "The chat could not be opened" : "Opening the chat …"}</h1>
        <p role="alert" className={styles.failure}>
          {failure && explainHere(failure)}
        </p>
        {failure && (
          <Button
            onClick={() => {
              setFailure(undefined);
              setAttempt(attempt + 1);
            }}
          >
            Try again
          </Button>
        )}
      </div>
    </main>
  );
}

function explainHere(failure: Failure): string {
  return failure.code === "UNAUTHENTICATED" ? "Sign in to the app first." : explain(failure);
}
