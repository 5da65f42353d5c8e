// Identifiers made here. crypto.randomUUID would be there on secure origins only, not on http://192.168…

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** A ULID: 48 bits of time and 80 of chance. */
export function newUlid(): string {
  let time = Date.now();
  let head = "";
  for (let digit = 0; digit < 10; digit++) {
    head = CROCKFORD.charAt(time % 32) + head;
    time = Math.floor(time / 32);
  }
  const chance = crypto.getRandomValues(new Uint8Array(16));
  return head + Array.from(chance, (byte) => CROCKFORD.charAt(byte % 32)).join("");
}
