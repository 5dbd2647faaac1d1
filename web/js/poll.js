/** Follow a job to its end: poll as Retry-After says, and outlast whatever does not answer for a while. */

import { parsed, problemIn, seconds } from "./problem.js";

const ANSWER_S = 15; // The API answers within 3 s even if nothing behind it does; beyond this the network is to blame.
const LONGEST_S = 30;

/**
 * Resolves to the ended job. `onJob` gets it after each answer, `onTrouble` a sentence while nobody answers and ""
 * afterwards. Rejects with a Problem that waiting does not mend, or with the signal's reason.
 */
export async function follow(url, { signal, waitS = 0, onJob, onTrouble }) {
  for (let failures = 0; ; ) {
    await pause(waitS, signal);
    const answer = await ask(url, signal);
    if (answer.trouble) {
      failures += 1;
      waitS = answer.retryAfterS ?? backOffS(failures);
      onTrouble(`${answer.trouble} Next try in ${Math.ceil(waitS)} s.`);
      continue;
    }
    failures = 0;
    onTrouble("");
    onJob(answer.job);
    if (answer.ended) return answer.job;
    waitS = answer.retryAfterS ?? 1;
  }
}

/** One poll: `{job, ended, retryAfterS}`, or `{trouble, retryAfterS}` if a later one may work. */
async function ask(url, signal) {
  let response, text;
  try {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_S * 1000)]);
    response = await fetch(url, { signal: limited, cache: "no-store" });
    text = await response.text();
  } catch {
    signal.throwIfAborted();
    return { trouble: "The status service cannot be reached; the job goes on without it.", retryAfterS: null };
  }
  const retryAfter = response.headers.get("Retry-After");
  const job = response.ok ? parsed(text) : null;
  if (job) return { job, ended: response.status === 200, retryAfterS: seconds(retryAfter) };
  const problem = problemIn(text, response.status, retryAfter);
  if (!problem.passes) throw problem;
  return { trouble: `${problem.title}; the job goes on.`, retryAfterS: problem.retryAfterS };
}

/** 1, 2, 4, ... seconds, with jitter, so that pages that lost the service together do not come back together. */
const backOffS = (failures) => Math.min(LONGEST_S, 2 ** (failures - 1)) * (0.75 + Math.random() / 4);

/** Wait; shorter if the browser comes back online. Rejects with the signal's reason. */
function pause(waitS, signal) {
  return new Promise((resolve, reject) => {
    const ended = new AbortController();
    const end = (settle, value) => {
      clearTimeout(timer);
      ended.abort();
      settle(value);
    };
    const timer = setTimeout(() => end(resolve), waitS * 1000);
    if (signal.aborted) end(reject, signal.reason);
    signal.addEventListener("abort", () => end(reject, signal.reason), { signal: ended.signal });
    window.addEventListener("online", () => end(resolve), { signal: ended.signal });
  });
}
