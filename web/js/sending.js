/** Hand something in, from the form to the ticket. While it is on its way, nobody leaves the page unasked. */

import { ask } from "./dialog.js";
import { byId } from "./dom.js";
import { Problem } from "./problem.js";
import { showBreak, showButtons, showUpload } from "./ticket.js";
import { unticketed, upload } from "./upload.js";
import { fail, nextView, ticketView } from "./view.js";

let underWay = null; // {address, ended}: where the upload began, and what ends together with it

/**
 * Send it. `check(signal)` comes before, and may reject with a Problem; `onAccepted(handIn, {job, waitS})` comes after.
 * "Try again" sends the same hand-in once more: what was lost may have been the answer alone.
 */
export async function send(handIn, { check, onAccepted }) {
  const view = nextView();
  const stopped = new AbortController();
  const stop = () => stopped.abort(new Problem("The upload was stopped", unticketed(handIn)));
  ticketView(null, handIn.name);
  showButtons({ stop });
  begin();
  try {
    const signal = AbortSignal.any([view, stopped.signal]);
    await check(signal);
    const onProgress = (share) => showUpload(handIn, share);
    onAccepted(handIn, await upload(handIn, { signal, onProgress, onBreak: showBreak }));
  } catch (cause) {
    fail(cause, "No ticket", { again: () => send(handIn, { check, onAccepted }) });
  } finally {
    end();
  }
}

/** Call `route` whenever the address has changed; during an upload only if the visitor wants it stopped. */
export function onMove(route) {
  addEventListener("hashchange", () => (underWay ? askBeforeMoving(underWay) : route()));
}

/** The address has moved on, which cannot be prevented: take it back first. */
async function askBeforeMoving({ address, ended }) {
  history.pushState(null, "", address);
  const dialog = byId("stop-dialog");
  if (dialog.open) return;
  try {
    if ((await ask(dialog, ended.signal)) !== "stop") return;
  } catch (cause) {
    if (cause.name === "AbortError") return; // The upload ended before the answer.
    throw cause;
  }
  nextView(); // ends the upload
  history.back();
}

/** Leaving the page would lose the upload, and so would forgetting the key. */
function begin() {
  underWay = { address: location.href, ended: new AbortController() };
  byId("forget-key").disabled = true;
  addEventListener("beforeunload", warnBeforeLeaving);
}

function end() {
  underWay.ended.abort();
  underWay = null;
  byId("forget-key").disabled = false;
  removeEventListener("beforeunload", warnBeforeLeaving);
}

const warnBeforeLeaving = (event) => event.preventDefault();
