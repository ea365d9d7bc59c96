import { explain, type Failure } from "../graphql/failure";

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;

/** How large a file is, as people of this language write it. */
export function sizeOf(bytes: number): string {
  const step = Math.min(UNITS.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  const format = new Intl.NumberFormat(undefined, {
    style: "unit",
    unit: UNITS[step] ?? "byte",
    unitDisplay: step === 0 ? "long" : "short",
    maximumFractionDigits: step === 0 ? 0 : 1,
  });
  return format.format(bytes / 1024 ** step);
}

/** Why a file was refused, for people. */
export function explainUpload(failure: Failure): string {
  const most = /at most ([\d,]+) bytes$/.exec(failure.message)?.[1];
  if (most !== undefined)
    return `This is too large: at most ${sizeOf(Number(most.replaceAll(",", "")))} are taken.`;
  if (/^must be at least 1$/.test(failure.message)) return "This file is empty.";
  if (failure.message.startsWith("this begins like a picture")) {
    return "This says that it is a picture, and isn’t one that can be read.";
  }
  return explain(failure);
}
