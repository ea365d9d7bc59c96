import type { Client } from "@urql/core";
import { API_URL } from "../config";
import { CreateUploadDocument } from "../gql/graphql";
import { failureOf, type Failure } from "../graphql/failure";
import type { Progress } from "./uploads";

/** Announces a file to the server, and sends it where the server says. */
export async function sendFile(client: Client, file: File, progress: Progress) {
  const input = { name: file.name, size: file.size, contentType: file.type === "" ? null : file.type };
  const { data, error } = await client.mutation(CreateUploadDocument, { input }).toPromise();
  if (!data) return { failed: failureOf(error) };
  const { attachment, uploadUrl, method, headers } = data.createUpload;
  const failed = await put(linkOf(uploadUrl), method, headers, file, progress);
  return failed ? { failed } : { id: attachment.id };
}

/** A link of the server's, which is relative to its API. */
export function linkOf(url: string): string {
  return new URL(url, API_URL).href;
}

/** By XMLHttpRequest, because `fetch` doesn't tell how much has been sent. */
function put(
  url: string,
  method: string,
  headers: readonly { name: string; value: string }[],
  file: File,
  { signal, sent }: Progress,
): Promise<Failure | undefined> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const lost = () => {
      resolve({ code: "NETWORK", message: "no answer" });
    };
    request.open(method, url);
    for (const { name, value } of headers) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      if (total > 0) sent(loaded / total);
    });
    request.addEventListener("load", () => {
      resolve(request.status < 300 ? undefined : refusalOf(request.responseText));
    });
    request.addEventListener("error", lost);
    request.addEventListener("abort", lost);
    signal.addEventListener("abort", () => {
      request.abort();
    });
    request.send(file);
  });
}

/** Why a file was refused: an answer of the server's looks like one to a query; one of a proxy's doesn't. */
function refusalOf(text: string): Failure {
  try {
    const { errors } = JSON.parse(text) as {
      errors: { message: string; extensions?: { code?: string; reason?: string } }[];
    };
    const [error] = errors;
    if (error) {
      const { code = "UNKNOWN", reason } = error.extensions ?? {};
      return { code, reason, message: error.message };
    }
  } catch {
    // No answer of Parlor's.
  }
  return { code: "UNKNOWN", message: "The file was refused." };
}
