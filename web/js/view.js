/** Which view the page shows, and what ends with it. */

import { byId, say, showOnly } from "./dom.js";
import { Problem } from "./problem.js";
import { showRecent } from "./recent.js";
import { clearResult } from "./result.js";
import { blankTicket, showButtons, showJob, showTrouble } from "./ticket.js";

let present = new AbortController();

/** End what the present view began; the signal of the next one. */
export function nextView() {
  present.abort(new DOMException("the page shows something else", "AbortError"));
  present = new AbortController();
  clearResult();
  return present.signal;
}

/** The form and the recent tickets; `news` says what has just happened. */
export function formView(news = "") {
  showOnly("hand-in");
  showRecent();
  say(byId("news"), news);
  say(byId("said"), news);
  document.title = "Claimcheck";
}

/** The ticket, blank; `id` is null before the API has given one. */
export function ticketView(id, name) {
  blankTicket(id, name);
  showOnly("ticket");
  byId("name").focus();
}

/** The job on its ticket. */
export function draw(job) {
  showJob(job);
  document.title = `${byId("stamp").textContent}: ${byId("name").textContent}`;
}

/**
 * Show what went wrong instead of the ticket's job, unless the page has moved on to something else: `stamped` in a word,
 * with `actions` for the buttons.
 */
export function fail(cause, stamped, actions) {
  if (cause.name === "AbortError") return;
  if (!(cause instanceof Problem)) throw cause;
  const wait = cause.retryAfterS ? `; it may work in ${Math.ceil(cause.retryAfterS)} s` : "";
  showTrouble({ title: cause.title, detail: cause.detail + wait }, stamped);
  showButtons(actions);
}
