import type { RoomsQuery, RoomsQueryVariables } from "./operations.js";
import type { SignUpInput } from "./types.js";

// Each line is a mistake that the types must show.
export const variables: RoomsQueryVariables = { first: "5" };
export const title = (data: RoomsQuery): string => data.rooms.nodes[0].title;
export const input: SignUpInput = { username: "ann" };
