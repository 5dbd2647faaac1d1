/** End a job before its time: cancel it, or erase everything that is stored of it. */

import { call } from "./api.js";
import { ask } from "./dialog.js";
import { byId } from "./dom.js";
import { nameOf } from "./tasks.js";

const GONE = 404;
const TOO_LATE = 409;

/** The cancelled job; null if it had ended before. Rejects with a Problem, or with the signal's reason. */
export async function cancelJob(id, signal) {
  try {
    const { body } = await call(`/v1/jobs/${id}/cancel`, { as: "json", method: "POST", signal });
    return body;
  } catch (cause) {
    if (cause.status === TOO_LATE) return null;
    throw cause;
  }
}

/** Whether the visitor wants the job erased. Rejects with the signal's reason. */
export async function wantsErased(job, signal) {
  byId("erase-name").textContent = nameOf(job);
  byId("erase-running").hidden = job.ended_at !== undefined;
  return (await ask(byId("erase-dialog"), signal)) === "erase";
}

/** Erase it; one that is gone already is fine. Rejects with a Problem, or with the signal's reason. */
export async function eraseJob(id, signal) {
  try {
    await call(`/v1/jobs/${id}`, { as: "nothing", method: "DELETE", signal });
  } catch (cause) {
    if (cause.status !== GONE) throw cause;
  }
}
