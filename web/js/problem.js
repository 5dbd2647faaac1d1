/** Problem documents (RFC 9457): an answer that is an error, and what it says. */

import { byId, say } from "./dom.js";
import { sentence } from "./format.js";

export class Problem extends Error {
  /** `retryAfterS`: seconds the service asked for, if it did. */
  constructor(title, detail, { status = 0, retryAfterS = null } = {}) {
    super(detail);
    Object.assign(this, { title, detail, status, retryAfterS });
  }

  /** Whether the same request may work later; an answer that is not ours comes from something in between. */
  get passes() {
    return this.status < 400 || this.status === 429 || this.status >= 500;
  }
}

/** The problem in an answer's text; a proxy's HTML page still gives one. */
export function problemIn(text, status, retryAfter) {
  const about = { status, retryAfterS: seconds(retryAfter) };
  const { title, detail = "" } = parsed(text) ?? {};
  if (title) return new Problem(String(title), String(detail), about);
  return unexpected(`it answered with status ${status}`, about);
}

/** The problem of an answer that is not what the API promises. */
export const unexpected = (detail, about) => new Problem("The service did not answer as expected", detail, about);

/** The JSON object in a text, or null. */
export function parsed(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

/** A Retry-After header in seconds, or null. It is a number or a date (RFC 9110, 10.2.3). */
export function seconds(retryAfter) {
  if (!retryAfter) return null;
  const wait = /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isFinite(wait) ? Math.max(0, wait) : null;
}

/** Show a problem in the box with this id; null hides it. */
export function showProblem(id, problem) {
  const box = byId(id);
  say(box.querySelector("h2"), problem?.title ?? "");
  say(box.querySelector("p"), problem ? sentence(problem.detail) : "");
  box.hidden = problem === null;
}
