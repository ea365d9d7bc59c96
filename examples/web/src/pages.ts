/** How many rooms, and how many messages of a room, a page has. */
export const ROOMS_PAGE = 30;
export const MESSAGES_PAGE = 40;

/** Of how many members a conversation shows how far they have read: the most that a page can have. */
export const MEMBERS_MAX = 100;
