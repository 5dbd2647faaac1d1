/** What the page does: hand in, follow the ticket that the address names, end its job. Wires the modules together. */

import { call } from "./api.js";
import { setUpCopy } from "./copy.js";
import { byId, say, showOnly } from "./dom.js";
import { cancelJob, eraseJob, wantsErased } from "./ending.js";
import { clearForm, clearText, setUpForm } from "./hand_in.js";
import { setUpKey } from "./key.js";
import { follow } from "./poll.js";
import { Problem, showProblem } from "./problem.js";
import { forget, remember } from "./recent.js";
import { setUpResult, showResult } from "./result.js";
import { onMove, send } from "./sending.js";
import { nameOf } from "./tasks.js";
import { showButtons, showErasing } from "./ticket.js";
import { jobIdIn, linkTo } from "./ticket_number.js";
import { newHandIn } from "./upload.js";
import { draw, fail, formView, nextView, ticketView } from "./view.js";

const GONE = 404;

const mine = new Map(); // job id -> what this page sent and was answered: {handIn, job, waitS}
let config = null;

function start() {
  setUpCopy(byId("copy-link"), () => location.href, () => byId("number"));
  setUpResult();
  return load();
}

/** Learn what this installation takes; without that there is no form. */
async function load() {
  showOnly();
  try {
    config = (await call("/page.json", { as: "json" })).body;
  } catch (cause) {
    ticketView(jobIdIn(location.hash));
    fail(cause, "No answer", { again: load });
    byId("another").hidden = true;
    return;
  }
  setUpForm(config, ({ typed, ...order }) => submit(newHandIn({ ...order, what: typed ? "text" : "file" })));
  setUpKey(() => {
    clearText();
    leave("The key is forgotten.");
  });
  byId("another").addEventListener("click", () => leave());
  onMove(() => route());
  return route();
}

/** Show what the address names. */
function route(news) {
  const signal = nextView();
  const id = jobIdIn(location.hash);
  if (id) return watch(id, signal);
  clearForm();
  return formView(news);
}

/** Go back to the form. */
function leave(news) {
  history.pushState(null, "", location.pathname);
  route(news);
  byId("hand-in-title").focus();
}

const submit = (handIn) => send(handIn, { check: checkKey, onAccepted });

function onAccepted(handIn, { job, waitS }) {
  mine.set(job.id, { handIn, job, waitS });
  if (handIn.what === "text") clearText();
  remember(job);
  location.hash = linkTo(job.id); // and so to `watch`
}

/** Before a large file is sent in vain: is there a key, and is it known? */
async function checkKey(signal) {
  if (!config.needs_key) return;
  try {
    await call(`${config.status_url}/v1/jobs?limit=1`, { as: "json", signal });
  } catch (cause) {
    if (cause.status === 401) throw cause; // Whatever else went wrong, the upload may work.
    signal.throwIfAborted();
  }
}

async function watch(id, signal) {
  const sent = mine.get(id);
  ticketView(id, sent?.handIn.name);
  if (sent) show(sent.job, signal);
  return pursue(id, signal, { waitS: sent?.waitS });
}

/** Follow the job on the ticket that is shown already; `waitS`: seconds until it may be asked for. */
async function pursue(id, signal, { waitS, eraseAgain = null } = {}) {
  const url = mine.get(id)?.job.status_url ?? `${config.status_url}/v1/jobs/${id}`;
  const onTrouble = (text) => say(byId("connection"), text);
  try {
    const job = await follow(url, { signal, waitS, onJob: (job) => show(job, signal), onTrouble });
    if (job.status === "succeeded") finish(job);
  } catch (cause) {
    if (cause.status !== GONE) return fail(cause, "No answer", { again: () => route() });
    fail(cause, "Unknown", { erase: eraseAgain });
    byId("copy-link").hidden = true;
  }
}

/** Draw the job, with what can be done about it. */
function show(job, signal) {
  const sent = mine.get(job.id);
  if (sent) mine.set(job.id, { ...sent, job, waitS: 0 });
  draw(job);
  const sendAgain = () => submit(newHandIn(sent.handIn)); // another key: another job
  showButtons({
    again: sent && job.status === "failed" ? sendAgain : null,
    resend: sent && job.status === "cancelled" ? sendAgain : null,
    cancel: job.ended_at ? null : () => act(() => cancel(job, signal)),
    erase: () => act(() => erase(job, signal)),
  });
}

function finish(job) {
  const summarizes = config.tasks.some(({ name, inputs }) => name === "summarize" && inputs.includes("job_id"));
  showResult(job, { file: mine.get(job.id)?.handIn.file, onSummarize: summarizes ? () => summarize(job) : null });
}

/** Hand the job in as the input of another. */
function summarize(job) {
  const input = { job_id: job.id };
  return submit(newHandIn({ task: "summarize", options: {}, input, name: `Summary of ${nameOf(job)}`, what: "request" }));
}

async function cancel(job, signal) {
  const cancelled = await cancelJob(job.id, signal);
  const next = nextView();
  byId("name").focus();
  if (cancelled) show(cancelled, next);
  return pursue(job.id, next);
}

async function erase(job, signal) {
  if (!(await wantsErased(job, signal))) return;
  const view = job.ended_at ? signal : nextView(); // A poll would hear before the answer that there is no such job.
  showErasing();
  byId("name").focus();
  try {
    await eraseJob(job.id, view);
  } catch (cause) {
    view.throwIfAborted();
    show(job, view);
    // The job may be gone by now, and something of it left: it can be erased again.
    if (!job.ended_at) pursue(job.id, view, { eraseAgain: () => act(() => erase(job, view)) });
    throw cause;
  }
  mine.delete(job.id);
  forget(job.id);
  leave(`${nameOf(job)} was deleted.`);
}

/** Do what a button asks for; what goes wrong leaves the ticket as it is. */
async function act(doIt) {
  showProblem("action-problem", null);
  try {
    await doIt();
  } catch (cause) {
    if (cause.name === "AbortError") return;
    if (!(cause instanceof Problem)) throw cause;
    showProblem("action-problem", cause);
  }
}

start();
