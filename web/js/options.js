/** The options of each task: which there are, what was set, and what of it is no JSON. */

import { byId, element, say } from "./dom.js";
import { language } from "./format.js";
import { Problem } from "./problem.js";

const FIELDS = ["language", "model", "max_words", "max_output_tokens", "json"];

const set = new Map(); // task name -> what the visitor set there: values by field
let present = null;

/** Offer these languages, in the order of their names. */
export function setUpOptions(codes) {
  fill(byId("language"), codes.map((code) => [code, language(code)]));
}

/** Show the options of this task, as they were set when it was chosen last. */
export function showOptions(task) {
  if (present) set.set(present.name, Object.fromEntries(FIELDS.map((name) => [name, byId(name).value])));
  present = task;
  say(byId("language-label"), task.language?.label ?? "");
  byId("language").options[0].textContent = task.language?.none ?? "";
  byId("model").replaceChildren(element("option", { value: "" }, "Default"));
  fill(byId("model"), task.models.map(({ name, demonstration }) => [name, demonstration ? `${name} (demonstration)` : name]));
  showJson(task);
  for (const name of FIELDS) {
    byId(name).value = set.get(task.name)?.[name] ?? "";
    const label = document.querySelector(`label[for=${name}]`);
    label.hidden = byId(name).hidden = !has(task, name);
  }
}

/** The options as the API takes them, without those that are not set. Throws a Problem if JSON is none. */
export function readOptions(task) {
  const options = {};
  for (const name of FIELDS.filter((name) => has(task, name) && byId(name).value.trim())) {
    const value = byId(name).value;
    if (name !== "json") options[name] = byId(name).type === "number" ? Number(value) : value;
    else Object.assign(options, task.json.option ? { [task.json.option]: jsonIn(value) } : jsonIn(value));
  }
  return options;
}

function has(task, name) {
  if (name === "model") return task.models.length > 0;
  return Boolean(task[name]) || Boolean(task.numbers?.includes(name));
}

function showJson({ name, json }) {
  byId("more").hidden = !json;
  byId("more").open = Boolean(set.get(name)?.json);
  say(byId("more-title"), json?.title ?? "");
  say(byId("json-label"), json?.label ?? "");
}

function jsonIn(text) {
  let found = null;
  let reason = "it is no JSON object";
  try {
    found = JSON.parse(text);
  } catch (cause) {
    reason = `it is no JSON: ${cause.message}`;
  }
  if (typeof found === "object" && found !== null && !Array.isArray(found)) return found;
  byId("more").open = true;
  byId("json").focus();
  throw new Problem(`“${byId("more-title").textContent}” cannot be read`, reason);
}

function fill(select, options) {
  const sorted = options.sort(([, one], [, other]) => one.localeCompare(other));
  select.append(...sorted.map(([value, text]) => element("option", { value }, text)));
}
