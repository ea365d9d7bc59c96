/** One `className` of several, leaving out what doesn't apply. */
export function cx(...names: (string | false | undefined)[]): string {
  return names.filter(Boolean).join(" ");
}
