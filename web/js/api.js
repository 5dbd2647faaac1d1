/** Calls of the two APIs that are answered once: with the key if there is one, errors as Problems. */

import { withKey } from "./key.js";
import { Problem, parsed, problemIn, unexpected } from "./problem.js";

const ANSWER_S = 30; // An erase deletes several things, each within its own limit of seconds.
const NO_CONTENT = 204;

/**
 * Resolves to `{body, headers}` of the answer to a request, if it is a success. `as` is what the body has to be:
 * "json", "blob", or "nothing". Rejects with a Problem, or with the signal's reason.
 */
export function call(url, { as, method = "GET", signal = null }) {
  return withKey((headers) => answer(url, { method, headers, cache: "no-store" }, { as, signal }), signal);
}

async function answer(url, request, { as, signal }) {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), ANSWER_S * 1000);
  let response = null;
  try {
    const limited = signal ? AbortSignal.any([signal, limit.signal]) : limit.signal;
    response = await fetch(url, { ...request, signal: limited });
    if (response.ok && as === "blob") clearTimeout(timer); // A file takes as long as the connection needs for it.
    return { body: await bodyOf(response, as), headers: response.headers };
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof Problem) throw cause;
    if (response) throw unexpected("its answer broke off");
    throw new Problem("The service cannot be reached", "it did not answer");
  } finally {
    clearTimeout(timer);
  }
}

/** What the answer brings. A success of another kind is not ours: the sign-in page of a network, for example. */
async function bodyOf(response, as) {
  if (!response.ok) throw problemIn(await response.text(), response.status, response.headers.get("Retry-After"));
  if (as === "blob") return response.blob();
  const body = as === "json" ? parsed(await response.text()) : response.status === NO_CONTENT;
  if (body) return body;
  throw unexpected("something between this page and the service answered instead, perhaps a sign-in page");
}
