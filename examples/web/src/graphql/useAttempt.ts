import { useCallback, useState } from "react";
import { useClient, type AnyVariables, type DocumentInput } from "urql";
import { explain, failureOf } from "./failure";

/**
 * Mutations of one place on the screen, and why the last one was refused, in words for people to be shown there. A mutation
 * answers its data, or undefined.
 */
export function useAttempt() {
  const client = useClient();
  const [problem, setProblem] = useState("");
  const attempt = useCallback(
    async <Data, Variables extends AnyVariables>(
      document: DocumentInput<Data, Variables>,
      variables: Variables,
    ): Promise<Data | undefined> => {
      const { data, error } = await client.mutation(document, variables).toPromise();
      setProblem(error ? explain(failureOf(error)) : "");
      return error ? undefined : data;
    },
    [client],
  );
  return { problem, attempt, setProblem };
}
