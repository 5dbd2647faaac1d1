/** Send a file and get its job. XMLHttpRequest, since fetch tells nothing about the progress of an upload. */

import { Problem, parsed, problemIn, seconds } from "./problem.js";

/**
 * Resolves to `{job, waitS}`, the accepted job and the seconds until it may be polled. Rejects with a Problem, or with
 * the signal's reason. `onProgress` gets the share that was sent, 0 to 1.
 */
export function upload(file, options, { signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/jobs");
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => {
      const retryAfter = request.getResponseHeader("Retry-After");
      const job = request.status === 202 ? parsed(request.responseText) : null;
      if (job) return resolve({ job, waitS: seconds(retryAfter) ?? 1 });
      return reject(problemIn(request.responseText, request.status, retryAfter));
    };
    request.onerror = () => reject(new Problem("The upload broke off", "the connection was lost before a ticket came"));
    request.onabort = () => reject(signal.reason);
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form(file, options));
  });
}

function form(file, options) {
  const made = new FormData();
  made.append("task", "transcribe");
  made.append("options", JSON.stringify(options));
  made.append("file", file);
  return made;
}
