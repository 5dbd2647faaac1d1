/** Send what is handed in and get its job, over a connection that may break. XMLHttpRequest: fetch tells nothing of progress. */

import { withKey } from "./key.js";
import { backOffS, pause } from "./patience.js";
import { Problem, parsed, problemIn, seconds } from "./problem.js";

const TRIES = 6; // with the pauses between them about half a minute, for a train in a tunnel
const LONGEST_PAUSE_S = 60; // whoever is told to come back later than this decides himself
const ANSWER_S = 45; // once everything is sent: longer than the API takes for an answer, whatever is down behind it
const BROKEN = 0;
const MAY_PASS = new Set([BROKEN, 408, 429, 502, 503, 504]);

/**
 * What to hand in for `task`: a `file`, or an `input` that is none; `name` and `what` are for whoever reads about it.
 * However often it is sent, its key makes one job of it; `sentWhole`: only the answer may be missing.
 */
export function newHandIn({ task, options, file = null, input = null, name = file.name, what = "file" }) {
  return { task, options, file, input, name, what, key: newKey(), sentWhole: false };
}

/** What is known of a hand-in that has got no ticket. */
export function unticketed({ sentWhole }) {
  return sentWhole ? "it may have been handed in all the same; Try again gives its ticket" : "nothing was handed in";
}

function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID(); // Only in secure contexts: https or localhost.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Resolves to `{job, waitS}`, the accepted job and the seconds until it may be polled. Rejects with a Problem, or with
 * the signal's reason. `onProgress` gets the share that was sent, 0 to 1, from 0 again in each try; `onBreak` the
 * Problem of a try, the seconds until the next one, and which of how many it will be.
 */
export async function upload(handIn, { signal, onProgress, onBreak }) {
  for (let tried = 1; ; tried += 1) {
    onProgress(0);
    try {
      return await withKey((authorization) => send(handIn, authorization, { signal, onProgress }), signal);
    } catch (cause) {
      signal.throwIfAborted();
      const pauseS = cause.retryAfterS ? cause.retryAfterS * (1 + Math.random() / 4) : backOffS(tried);
      if (tried === TRIES || !MAY_PASS.has(cause.status) || pauseS > LONGEST_PAUSE_S) throw cause;
      onBreak(cause, pauseS, `${tried + 1} of ${TRIES}`);
      await pause(pauseS, signal);
    }
  }
}

/** One try. Rejects with a Problem, with status 0 if the connection broke or the answer did not come in time. */
function send(handIn, authorization, { signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/jobs");
    const headers = { ...authorization, "Idempotency-Key": `"${handIn.key}"` };
    if (!handIn.file) headers["Content-Type"] = "application/json"; // A form says by itself where its parts begin.
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => {
      const retryAfter = request.getResponseHeader("Retry-After");
      const job = request.status === 202 ? parsed(request.responseText) : null;
      if (job) return resolve({ job, waitS: seconds(retryAfter) ?? 1 });
      return reject(problemIn(request.responseText, request.status, retryAfter));
    };
    request.onerror = () => reject(broken(handIn));
    request.onabort = () => reject(signal.aborted ? signal.reason : broken(handIn));
    const ended = new AbortController();
    signal.addEventListener("abort", () => request.abort(), { signal: ended.signal });
    let limit = 0;
    request.upload.onload = () => {
      handIn.sentWhole = true;
      onProgress(1);
      limit = setTimeout(() => request.abort(), ANSWER_S * 1000);
    };
    request.onloadend = () => {
      clearTimeout(limit);
      ended.abort();
    };
    request.send(body(handIn));
  });
}

function broken(handIn) {
  const known = handIn.sentWhole ? `; ${unticketed(handIn)}` : "";
  return new Problem("The upload broke off", `the connection was lost before a ticket came${known}`);
}

function body({ task, options, file, input }) {
  if (!file) return JSON.stringify({ task, input, options });
  const made = new FormData();
  made.append("task", task);
  made.append("options", JSON.stringify(options));
  made.append("file", file);
  return made;
}
