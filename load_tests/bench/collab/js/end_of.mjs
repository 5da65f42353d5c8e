import * as Y from "yjs";

/** The clock past what an update brings of a client; 0 if it brings nothing of it, as a deletion does. */
export function endOf(update, client) {
  const own = Y.decodeUpdate(update).structs.filter(({ id }) => id.client === client);
  return Math.max(0, ...own.map(({ id, length }) => id.clock + length));
}
