const PREFIX = "parlor-draft-";

/** What was written and not sent, of each room, for as long as the tab is open. */
export const drafts = {
  of: (roomId: string) => sessionStorage.getItem(PREFIX + roomId) ?? "",
  /** Forgets them all. */
  clear() {
    for (const key of Object.keys(sessionStorage)) {
      if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
    }
  },
  keep(roomId: string, text: string) {
    if (text === "") sessionStorage.removeItem(PREFIX + roomId);
    else sessionStorage.setItem(PREFIX + roomId, text);
  },
};
