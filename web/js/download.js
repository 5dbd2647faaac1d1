/** The result as files. A link cannot carry a key: with one the page fetches the file and hands it to the browser. */

import { call } from "./api.js";
import { byId, element } from "./dom.js";
import { hasKey } from "./key.js";
import { Problem, showProblem, unexpected } from "./problem.js";

const KEPT_MS = 60_000; // a browser that asks where to put the file reads it after the answer

/** Offer the job's result in each of its formats. */
export function showDownloads(job) {
  byId("downloads").replaceChildren(...Object.entries(job.result_urls ?? {}).map(([format, url]) => download(format, url)));
  showProblem("download-problem", null);
}

/** The link, or the button, for a result in this format. */
function download(format, url) {
  const label = format.toUpperCase();
  const made = hasKey()
    ? element("button", { type: "button", className: "button", onclick: () => fetched(url) }, label)
    : element("a", { href: url, className: "button" }, label);
  made.setAttribute("aria-label", `Download ${label}`);
  return made;
}

async function fetched(url) {
  showProblem("download-problem", null);
  try {
    const { body, headers } = await call(url, { as: "blob" });
    save(body, nameIn(headers.get("Content-Disposition") ?? ""));
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    showProblem("download-problem", cause);
  }
}

function save(file, name) {
  const url = URL.createObjectURL(file);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}

/** The file name that the API chose (RFC 6266); it is always encoded there. An answer without one is not the API's. */
function nameIn(disposition) {
  const [, encoded] = /filename\*=UTF-8''([^;]+)/.exec(disposition) ?? [];
  if (encoded) return decodeURIComponent(encoded);
  throw unexpected("it answered with something else than the file");
}
