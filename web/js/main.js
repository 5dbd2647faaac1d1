/** What the page does: hand in, follow the ticket that the address names, end its job. Wires the modules together. */

import { call } from "./api.js";
import { setUpCopy } from "./copy.js";
import { byId, say, showOnly } from "./dom.js";
import { cancelJob, eraseJob, wantsErased } from "./ending.js";
import { clearForm, setUpForm } from "./hand_in.js";
import { setUpKey } from "./key.js";
import { follow } from "./poll.js";
import { Problem, showProblem } from "./problem.js";
import { forget, remember } from "./recent.js";
import { showBreak, showButtons, showUpload } from "./ticket.js";
import { jobIdIn, linkTo } from "./ticket_number.js";
import { showTranscript } from "./transcript.js";
import { handInKey, upload } from "./upload.js";
import { draw, fail, formView, nextView, ticketView } from "./view.js";

const mine = new Map(); // job id -> what this page sent and was answered: {handIn, job, waitS}
let config = null;
let transcribed = "";

async function start() {
  showOnly();
  try {
    const response = await call("/page.json");
    config = await response.json();
  } catch (cause) {
    ticketView(null);
    return fail(cause, start);
  }
  setUpForm(config, (file, options) => send({ file, options, key: handInKey() }));
  setUpKey(() => leave("The key is forgotten."));
  setUpCopy(byId("copy-link"), () => location.href, byId("number"));
  setUpCopy(byId("copy-text"), () => transcribed, byId("segments"));
  byId("another").addEventListener("click", () => leave());
  addEventListener("hashchange", () => route());
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

async function send(handIn) {
  const { file } = handIn;
  const view = nextView();
  const stopped = new AbortController();
  ticketView(null, file.name);
  showButtons({ stop: () => stopped.abort(new Problem("The upload was stopped", "nothing was handed in")) });
  sending(true);
  const signal = AbortSignal.any([view, stopped.signal]);
  try {
    const onProgress = (share) => showUpload(file, share);
    const accepted = await checkKey(signal).then(() => upload(handIn, { signal, onProgress, onBreak: showBreak }));
    mine.set(accepted.job.id, { handIn, ...accepted });
    remember(accepted.job);
    location.hash = linkTo(accepted.job.id); // and so to `watch`
  } catch (cause) {
    fail(cause, () => send(handIn)); // with the same key: what was lost may have been the answer alone
  } finally {
    sending(false);
  }
}

/** Before a large file is sent in vain: is there a key, and is it known? */
async function checkKey(signal) {
  if (!config.needs_key) return;
  try {
    await call(`${config.status_url}/v1/jobs?limit=1`, { signal });
  } catch (cause) {
    if (cause.status === 401) throw cause; // Whatever else went wrong, the upload may work.
    signal.throwIfAborted();
  }
}

async function watch(id, signal) {
  const sent = mine.get(id);
  ticketView(id, sent?.handIn.file.name);
  if (sent) show(sent.job, signal);
  return pursue(id, signal, sent?.waitS);
}

/** Follow the job on the ticket that is shown already; `waitS`: seconds until it may be asked for. */
async function pursue(id, signal, waitS) {
  const url = mine.get(id)?.job.status_url ?? `${config.status_url}/v1/jobs/${id}`;
  const onTrouble = (text) => say(byId("connection"), text);
  try {
    const job = await follow(url, { signal, waitS, onJob: (job) => show(job, signal), onTrouble });
    if (job.status === "succeeded") finish(job);
  } catch (cause) {
    fail(cause, () => route());
  }
}

/** Draw the job, with what can be done about it. */
function show(job, signal) {
  const sent = mine.get(job.id);
  if (sent) mine.set(job.id, { ...sent, job, waitS: 0 });
  draw(job);
  const sendAgain = () => send({ ...sent.handIn, key: handInKey() });
  showButtons({
    again: sent && job.ended_at && job.status !== "succeeded" ? sendAgain : null,
    cancel: job.ended_at ? null : () => act(() => cancel(job, signal)),
    erase: () => act(() => erase(job, signal)),
  });
}

function finish(job) {
  transcribed = job.result.text;
  showTranscript(job, mine.get(job.id)?.handIn.file);
  byId("transcript").hidden = false;
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
  await eraseJob(job.id, signal);
  mine.delete(job.id);
  forget(job.id);
  leave(`${job.file.name || "The recording"} was deleted.`);
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

/** Whether a file is on its way, which leaving the page would lose, and forgetting the key too. */
function sending(is) {
  byId("forget-key").disabled = is;
  if (is) addEventListener("beforeunload", warnBeforeLeaving);
  else removeEventListener("beforeunload", warnBeforeLeaving);
}

const warnBeforeLeaving = (event) => event.preventDefault();

start();
