import { useId, useState, type SubmitEvent } from "react";
import { SignInDocument, SignUpDocument } from "../gql/graphql";
import { explain, failureOf, type Failure } from "../graphql/failure";
import { Button } from "../ui/Button";
import { Icon } from "../ui/Icon";
import { ask, session } from ".";
import { Field } from "./Field";
import styles from "./SignInPage.module.css";

/** How this device is called in the list of the user's sessions. */
const CLIENT = "Web app";

/** Replace it where users sign in elsewhere: whatever ends with `session.begin(tokens)` will do. */
export function SignInPage() {
  const [isNew, setIsNew] = useState(false);
  const [isBusy, setIsBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const failureId = useId();

  async function submit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => {
      const value = form.get(name);
      return typeof value === "string" ? value : "";
    };
    const input = { username: text("username").trim(), password: text("password"), client: CLIENT };
    setIsBusy(true);
    setFailure(undefined);
    try {
      session.begin(
        isNew
          ? (
              await ask(SignUpDocument, {
                input: { ...input, displayName: text("displayName").trim() },
              })
            ).signUp
          : (await ask(SignInDocument, { input })).signIn,
      );
    } catch (error) {
      setFailure(failureOf(error));
      setIsBusy(false);
    }
  }

  const problem = failure && explainHere(failure);
  const isAt = (field: string) => failure?.field?.endsWith(field) === true;
  return (
    <main className={styles.page}>
      <div className={styles.card}>
        <span className={styles.mark}>
          <Icon name="bubbles" size={32} />
        </span>
        <h1>{isNew ? "Create your account" : "Welcome back"}</h1>
        <form className={styles.form} onSubmit={(event) => void submit(event)} aria-describedby={failureId}>
          <Field
            label="Username"
            name="username"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            hint={isNew ? "2 to 32 letters a–z, digits, dots, dashes" : undefined}
            isInvalid={isAt("username")}
          />
          {isNew && (
            <Field
              label="Your name"
              name="displayName"
              autoComplete="name"
              dir="auto"
              maxLength={64}
              hint="As others see it"
              isInvalid={isAt("displayName")}
            />
          )}
          <Field
            label="Password"
            name="password"
            type="password"
            autoComplete={isNew ? "new-password" : "current-password"}
            minLength={isNew ? 8 : undefined}
            hint={isNew ? "At least 8 characters" : undefined}
            isInvalid={isAt("password")}
          />
          <p id={failureId} role="alert" className={styles.failure}>
            {problem}
          </p>
          <Button type="submit" disabled={isBusy}>
            {isNew ? "Sign up" : "Sign in"}
          </Button>
        </form>
        <p className={styles.other}>
          {isNew ? "You have an account?" : "New here?"}{" "}
          <button
            type="button"
            className={styles.switch}
            onClick={() => {
              setIsNew(!isNew);
              setFailure(undefined);
            }}
          >
            {isNew ? "Sign in instead" : "Create an account"}
          </button>
        </p>
      </div>
    </main>
  );
}

function explainHere(failure: Failure): string {
  return failure.code === "UNAUTHENTICATED" ? "The username or the password is wrong." : explain(failure);
}
