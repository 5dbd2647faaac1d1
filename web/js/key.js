/** The API key, where one is needed: asked for after a 401, kept for this tab alone, sent with every call. */

import { ask } from "./dialog.js";
import { byId, say } from "./dom.js";
import { Problem } from "./problem.js";

const STORED = "claimcheck.key";
const REFUSED = 401;
const NEEDED = "this installation answers nobody without one";

let key = stored();
let asked = null; // the question under way, so that two calls that are refused together ask once

/** Whether this tab has a key. */
export const hasKey = () => key !== "";

/** `onForget` comes after the visitor had the key forgotten. */
export function setUpKey(onForget) {
  byId("forget-key").addEventListener("click", () => {
    keep("");
    onForget();
  });
  showKept();
}

/**
 * What `request(headers)` gives; after a 401 the visitor is asked for a key and it is called again. Rejects with what
 * `request` rejects with, with a Problem if the visitor gives no key, or with the signal's reason.
 */
export async function withKey(request, signal) {
  for (;;) {
    const sent = key;
    try {
      return await request(sent ? { Authorization: `Bearer ${sent}` } : {});
    } catch (cause) {
      if (cause.status !== REFUSED) throw cause;
    }
    // Meanwhile another call may have got a key.
    if (key === sent) await (asked ??= askForKey(signal).finally(() => (asked = null)));
  }
}

async function askForKey(signal) {
  say(byId("key-refused"), key ? "This installation does not know the key. Is it complete?" : "");
  keep("");
  const field = byId("key");
  try {
    const pressed = await ask(byId("key-dialog"), signal);
    if (pressed !== "use") throw new Problem("An API key is needed", NEEDED, { status: REFUSED });
    keep(field.value.trim());
  } finally {
    field.value = "";
  }
}

function keep(given) {
  key = given;
  try {
    if (given) sessionStorage.setItem(STORED, given);
    else sessionStorage.removeItem(STORED);
  } catch {
    // Storage is switched off: the key lasts until the page is left.
  }
  showKept();
}

function stored() {
  try {
    return sessionStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
}

function showKept() {
  byId("forget-key").hidden = !hasKey();
}
