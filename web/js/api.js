/** Calls of the two APIs that are answered once: with the key if there is one, errors as Problems. */

import { withKey } from "./key.js";
import { Problem, problemIn } from "./problem.js";

const ANSWER_S = 30; // An erase deletes several things, each within its own limit of seconds.

/** The answer to a request, if it is a success. Rejects with a Problem, or with the signal's reason. */
export function call(url, { method = "GET", signal = null } = {}) {
  return withKey(async (headers) => {
    const response = await answer(url, { method, headers, cache: "no-store" }, signal);
    if (response.ok) return response;
    throw problemIn(await response.text(), response.status, response.headers.get("Retry-After"));
  }, signal);
}

async function answer(url, request, signal) {
  const limit = AbortSignal.timeout(ANSWER_S * 1000);
  try {
    return await fetch(url, { ...request, signal: signal ? AbortSignal.any([signal, limit]) : limit });
  } catch {
    signal?.throwIfAborted();
    throw new Problem("The service cannot be reached", "it did not answer");
  }
}
