/** Follow a job to its end: ask in the rhythm that the API wants, and outlast whatever does not answer for a while. */

import { withKey } from "./key.js";
import { backOffS, pause } from "./patience.js";
import { parsed, problemIn, seconds } from "./problem.js";

const ANSWER_S = 15; // The API answers within 3 s even if nothing behind it does; beyond this the network is to blame.
const HELD_S = 20; // What stands between may cut a connection that is silent for 30 s.
const SHORTEST_S = 1; // between two questions, should something between make every answer look new

/**
 * Resolves to the ended job. `onJob` gets it whenever it has changed, `onTrouble` a sentence while nobody answers and ""
 * afterwards. `waitS`: seconds until the first question. The API is asked to hold its answers back until there is news;
 * where it does not, the page waits as long as Retry-After says. Rejects with a Problem that waiting does not mend, or
 * with the signal's reason.
 */
export async function follow(url, { signal, waitS = 0, onJob, onTrouble }) {
  let failures = 0;
  let etag = null;
  let mayHold = false; // the first answer, and the first after a trouble, are wanted at once
  for (;;) {
    await pause(waitS, signal);
    const answer = await withKey((key) => ask(url, { key, etag, mayHold, signal }), signal);
    if (answer.trouble) {
      failures += 1;
      waitS = answer.retryAfterS ?? backOffS(failures);
      mayHold = false;
      onTrouble(`${answer.trouble} Next try in ${Math.ceil(waitS)} s.`);
      continue;
    }
    failures = 0;
    onTrouble("");
    if (answer.job) onJob(answer.job);
    if (answer.ended) return answer.job;
    if (answer.waited) waitS = Math.max(0, SHORTEST_S - answer.tookS);
    else waitS = mayHold ? answer.retryAfterS : 0;
    mayHold = true;
    etag = answer.etag;
  }
}

/**
 * One poll: `{job, etag, ended, waited, tookS, retryAfterS}`, with null for a job that `etag` stands for already; or
 * `{trouble, retryAfterS}` if a later one may work.
 */
async function ask(url, { key, etag, mayHold, signal }) {
  const askedMs = performance.now();
  // A page in the background holds no connection: browsers allow six to one server, over all tabs.
  const heldS = mayHold && !document.hidden ? HELD_S : 0;
  const headers = new Headers(key);
  if (etag) headers.set("If-None-Match", etag);
  if (heldS) headers.set("Prefer", `wait=${heldS}`);
  let response, text;
  try {
    const limited = AbortSignal.any([signal, AbortSignal.timeout((ANSWER_S + heldS) * 1000)]);
    response = await fetch(url, { signal: limited, cache: "no-store", headers });
    text = await response.text();
  } catch {
    signal.throwIfAborted();
    return { trouble: "The status service cannot be reached; the job goes on without it.", retryAfterS: null };
  }
  const retryAfter = response.headers.get("Retry-After");
  const job = response.ok ? parsed(text) : null;
  if (job || response.status === 304) {
    return {
      job,
      etag: response.headers.get("ETag"),
      ended: response.status === 200,
      waited: response.headers.has("Preference-Applied"),
      tookS: (performance.now() - askedMs) / 1000,
      retryAfterS: seconds(retryAfter) ?? SHORTEST_S,
    };
  }
  const problem = problemIn(text, response.status, retryAfter);
  if (!problem.passes) throw problem;
  return { trouble: `${problem.title}; the job goes on.`, retryAfterS: problem.retryAfterS };
}
