/** Random names and numbers from the browser's own source, which plain HTTP pages have too. */

/** A random name of 32 hexadecimal digits in the shape of a UUID (version 4). */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** A whole number from 0 up to `max`, and below 2^53 in any case. */
export function randomSeed(max: number): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  const random = (high & 0x1fffff) * 2 ** 32 + low;
  return max >= Number.MAX_SAFE_INTEGER ? random : random % (max + 1);
}

/** A name for this browser tab that survives a reload. */
export function tabId(): string {
  const known = sessionStorage.getItem("safelight.tab");
  const id = known ?? randomId();
  sessionStorage.setItem("safelight.tab", id);
  return id;
}
