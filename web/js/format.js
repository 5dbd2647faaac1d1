/** Sizes, durations and names as people read them. Pure. */

const MIB = 1024 * 1024;
export const whole = new Intl.NumberFormat("en");

/** Bytes as the API writes them: MB of 1,048,576 bytes. */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  if (bytes < MIB) return `${whole.format(Math.ceil(bytes / 1024))} KB`;
  return `${(bytes / MIB).toLocaleString("en", { maximumFractionDigits: bytes < 100 * MIB ? 1 : 0 })} MB`;
}

/** Why a file, or a text, is refused before it is sent, in the words the API would use; empty if it may go. */
export function refusal(file, limitBytes, what = "file") {
  if (file.size === 0) return `the ${what} has 0 bytes; at least 1 is expected`;
  if (file.size <= limitBytes) return "";
  const [unit, name] = limitBytes >= MIB ? [MIB, "MB"] : [1, "bytes"];
  const [has, limit] = [Math.ceil(file.size / unit), Math.floor(limitBytes / unit)];
  return `the ${what} is ${whole.format(has)} ${name}; the limit is ${whole.format(limit)} ${name}`;
}

/** A number of things: "1 page", "1,200 pages". */
export const count = (number, thing) => `${whole.format(number)} ${thing}${number === 1 ? "" : "s"}`;

/** Seconds as 0:07, 12:03 or 1:02:03. */
export function clock(seconds) {
  const total = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** A language's English name, or its code where the browser knows none. */
export function language(code) {
  try {
    return new Intl.DisplayNames("en", { type: "language" }).of(code);
  } catch {
    return code;
  }
}

/** A text with a capital letter and a full stop: the APIs write details without. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]?$/.exec(text)[0] || !text ? "" : ".");
}

/** A moment as the reader's locale writes it. */
export function moment(at) {
  return new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
