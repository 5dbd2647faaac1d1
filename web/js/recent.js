/** The tickets this browser was given: id, file name, task and time, kept in localStorage and nowhere else. */

import { byId, element } from "./dom.js";
import { moment } from "./format.js";
import { wordsOf } from "./tasks.js";
import { isJobId, linkTo } from "./ticket_number.js";

const KEY = "claimcheck.recent";
const MOST = 10;

export function remember(job) {
  const others = stored().filter((entry) => entry.id !== job.id);
  store([{ id: job.id, name: job.file.name, task: job.task, at: job.created_at }, ...others].slice(0, MOST));
}

/** Take a ticket off the list. */
export function forget(id) {
  store(stored().filter((entry) => entry.id !== id));
  showRecent();
}

/** Draw the list; without an entry the section stays away. */
export function showRecent() {
  const entries = stored();
  byId("recent-jobs").replaceChildren(...entries.map(row));
  byId("recent").hidden = entries.length === 0;
}

function row({ id, name, task, at }) {
  const link = element("a", { href: linkTo(id), dir: "auto" }, name || id);
  const time = element("time", { dateTime: at, className: "quiet" }, task ? `${wordsOf(String(task)).label}, ${moment(at)}` : moment(at));
  const button = element("button", { type: "button", onclick: () => forget(id) }, "Forget");
  button.setAttribute("aria-label", `Forget ${name || id}`);
  return element("li", {}, link, time, button);
}

function stored() {
  try {
    const entries = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return entries.filter((entry) => isJobId(entry.id) && !Number.isNaN(Date.parse(entry.at)));
  } catch {
    return []; // Storage is switched off, or another page of this origin wrote something else there.
  }
}

function store(entries) {
  try {
    localStorage.setItem(KEY, JSON.stringify(entries));
  } catch {
    // Storage is full or switched off: the ticket is in the address, so nothing is lost.
  }
}
