/** The claim ticket: where a job stands. Draws what it is told; asks nobody. */

import { byId, element, say } from "./dom.js";
import { clock, moment, size } from "./format.js";
import { showProblem } from "./problem.js";
import { nameOf, wordsOf } from "./tasks.js";

const STAMPS = { queued: "Queued", running: "Running", succeeded: "Ready", failed: "Failed", cancelled: "Cancelled" };

let clocks = { sinceMs: null, untilMs: null, nextMs: null };
setInterval(showClocks, 1000);

/** A blank ticket; `id` is null before the API has given one. */
export function blankTicket(id, name = "") {
  say(byId("name"), name || "Your job");
  showNumber(id);
  for (const id of ["facts", "status", "connection"]) say(byId(id), "");
  for (const name of ["task", "elapsed", "attempt", "next"]) showFact(name, "");
  stamp("looking", "…");
  showProgress(undefined);
  showProblem("problem", null);
  showProblem("action-problem", null);
  showButtons({});
  clocks = { sinceMs: null, untilMs: null, nextMs: null };
}

/** The hand-in is on its way; `share` is what was sent, 0 to 1. */
export function showUpload({ task, file, what }, share) {
  stamp("sending", "Sending");
  say(byId("facts"), file ? size(file.size) : "");
  showFact("task", wordsOf(task).label);
  showProgress(share);
  say(byId("status"), share < 1 ? `Sending the ${what}.` : `The ${what} is sent. Waiting for the ticket.`);
  if (share > 0) say(byId("connection"), "");
  clocks.sinceMs ??= Date.now();
  showClocks();
}

/** The upload broke off with this Problem and begins anew in `pauseS` seconds; `which`: for example "2 of 6". */
export function showBreak(problem, pauseS, which) {
  showProgress(0);
  say(byId("status"), "");
  say(byId("connection"), `${problem.title}. Trying again in ${Math.ceil(pauseS)} s (try ${which}).`);
}

/** The job as the API shows it. */
export function showJob(job) {
  say(byId("name"), nameOf(job));
  say(byId("facts"), `${size(job.file.size_bytes)}, `);
  byId("facts").append(element("span", {}, `handed in ${moment(job.created_at)}`));
  showNumber(job.id);
  showFact("task", wordsOf(job.task).label);
  stamp(job.status, STAMPS[job.status] ?? job.status);
  say(byId("status"), statusOf(job));
  if (job.ended_at) byId("progress").hidden = true;
  else showProgress(job.progress || undefined);
  showProblem("problem", job.status === "failed" ? (job.error ?? { title: "The job failed", detail: "" }) : null);
  clocks = {
    sinceMs: Date.parse(job.created_at),
    untilMs: job.ended_at ? Date.parse(job.ended_at) : null,
    nextMs: job.next_attempt_at ? Date.parse(job.next_attempt_at) : null,
  };
  showFact("attempt", job.attempt > 1 || job.status === "running" ? String(job.attempt) : "");
  showClocks();
}

/** The job is being erased; until that is answered nothing can be done about it. */
export function showErasing() {
  stamp("erasing", "Deleting");
  showProgress(undefined);
  say(byId("status"), "Deleting the job and everything that is kept of it.");
  say(byId("connection"), "");
  showButtons({});
}

/** What went wrong outside the job, the upload or the question about it, and `stamped`, the ticket's state in a word. */
export function showTrouble(problem, stamped) {
  stamp("failed", stamped);
  byId("progress").hidden = true;
  say(byId("status"), "");
  say(byId("connection"), "");
  showProblem("problem", problem);
  clocks.untilMs = Date.now();
}

/** What each button does, by its id. One without an action is not there. */
export function showButtons(actions) {
  for (const id of ["again", "stop", "cancel", "resend", "erase"]) {
    Object.assign(byId(id), { hidden: !actions[id], onclick: actions[id] ?? null });
  }
  byId("another").hidden = Boolean(actions.stop);
}

function statusOf(job) {
  if (job.status === "queued") {
    return job.next_attempt_at ? "The last attempt did not work. Waiting for the next one." : "Waiting for a worker.";
  }
  if (job.status === "running") return "A worker is on it.";
  if (job.status === "succeeded") return `The ${wordsOf(job.task).result} is ready.`;
  return job.status === "cancelled" ? "The job was cancelled. It has no result." : "";
}

/** `share` undefined: under way, nobody knows (yet) how far. */
function showProgress(share) {
  const bar = byId("progress");
  bar.hidden = false;
  if (share === undefined) bar.removeAttribute("value");
  else bar.value = share;
}

function showNumber(id) {
  say(byId("number"), id ?? "comes with the upload");
  byId("copy-link").hidden = id === null;
}

/** A line of the stub; without a text it is away. */
function showFact(name, text) {
  say(byId(name), text);
  document.querySelector(`[data-of=${name}]`).hidden = text === "";
}

function stamp(status, text) {
  byId("ticket").dataset.status = status;
  say(byId("stamp"), text);
}

function showClocks() {
  const { sinceMs, untilMs, nextMs } = clocks;
  showFact("elapsed", sinceMs === null ? "" : clock(((untilMs ?? Date.now()) - sinceMs) / 1000));
  showFact("next", nextMs === null ? "" : `in ${clock((nextMs - Date.now()) / 1000)}`);
}
