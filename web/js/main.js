/** What is on the page: the form, or the ticket that the address names. Wires the other modules together. */

import { setUpCopy } from "./copy.js";
import { byId, say, showOnly } from "./dom.js";
import { clearForm, setUpForm } from "./hand_in.js";
import { showPlayer } from "./player.js";
import { follow } from "./poll.js";
import { Problem, problemIn } from "./problem.js";
import { remember, showRecent } from "./recent.js";
import { blankTicket, showButtons, showJob, showTrouble, showUpload } from "./ticket.js";
import { jobIdIn, linkTo } from "./ticket_number.js";
import { showTranscript } from "./transcript.js";
import { upload } from "./upload.js";

const mine = new Map(); // job id -> what this page sent and was answered: {file, options, job, waitS}
let config = null;
let view = new AbortController(); // aborted when the page shows something else
let transcribed = "";

async function start() {
  showOnly();
  try {
    const response = await fetch("/page.json");
    if (!response.ok) throw problemIn(await response.text(), response.status, null);
    config = await response.json();
  } catch (cause) {
    ticketView(null);
    const silent = new Problem("The service cannot be reached", "it did not answer");
    return fail(cause instanceof Problem ? cause : silent, start);
  }
  setUpForm(config, send);
  setUpCopy(byId("copy-link"), () => location.href, byId("number"));
  setUpCopy(byId("copy-text"), () => transcribed, byId("segments"));
  byId("another").addEventListener("click", another);
  addEventListener("hashchange", route);
  return route();
}

function route() {
  view.abort(new DOMException("the page shows something else", "AbortError"));
  view = new AbortController();
  showPlayer(null);
  const id = jobIdIn(location.hash);
  if (id) return watch(id, view.signal);
  showOnly("hand-in");
  showRecent();
  clearForm();
  document.title = "Claimcheck";
  return undefined;
}

function another() {
  history.pushState(null, "", location.pathname);
  return route();
}

async function send(file, options) {
  const { signal } = view;
  const stopped = new AbortController();
  ticketView(null, file.name);
  showButtons({ stop: () => stopped.abort(new Problem("The upload was stopped", "nothing was handed in")) });
  addEventListener("beforeunload", warnBeforeLeaving);
  const onProgress = (share) => showUpload(file, share);
  onProgress(0);
  try {
    const accepted = await upload(file, options, { signal: AbortSignal.any([signal, stopped.signal]), onProgress });
    mine.set(accepted.job.id, { file, options, ...accepted });
    remember(accepted.job);
    location.hash = linkTo(accepted.job.id); // and so to `watch`
  } catch (cause) {
    fail(cause, () => send(file, options));
  } finally {
    removeEventListener("beforeunload", warnBeforeLeaving);
  }
}

async function watch(id, signal) {
  const sent = mine.get(id);
  ticketView(id, sent?.file.name);
  if (sent) draw(sent.job);
  const onJob = (job) => {
    if (sent) mine.set(id, { ...sent, job, waitS: 0 });
    draw(job);
  };
  const url = sent?.job.status_url ?? `${config.status_url}/v1/jobs/${id}`;
  const onTrouble = (text) => say(byId("connection"), text);
  try {
    const job = await follow(url, { signal, waitS: sent?.waitS, onJob, onTrouble });
    if (job.status === "succeeded") return finish(job, sent?.file);
    return showButtons({ again: job.status === "failed" && sent ? () => send(sent.file, sent.options) : null });
  } catch (cause) {
    return fail(cause, route);
  }
}

function finish(job, file) {
  transcribed = job.result.text;
  showTranscript(job, file);
  byId("transcript").hidden = false;
}

function draw(job) {
  showJob(job);
  document.title = `${byId("stamp").textContent}: ${byId("name").textContent}`;
}

function ticketView(id, name) {
  blankTicket(id, name);
  showOnly("ticket");
  byId("name").focus();
}

/** Show what went wrong, unless the page has moved on to something else. */
function fail(cause, again) {
  if (cause.name === "AbortError") return;
  if (!(cause instanceof Problem)) throw cause;
  const wait = cause.retryAfterS ? `; it may work in ${Math.ceil(cause.retryAfterS)} s` : "";
  showTrouble({ title: cause.title, detail: cause.detail + wait });
  showButtons({ again });
}

const warnBeforeLeaving = (event) => event.preventDefault();

start();
