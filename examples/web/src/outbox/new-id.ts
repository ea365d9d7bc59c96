/** A UUID; also where the page isn't in a secure context, in which browsers have no `crypto.randomUUID`. */
export function newId(): string {
  const own = crypto as { randomUUID?: () => string };
  if (own.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
    hex.slice(20),
  ].join("-");
}
