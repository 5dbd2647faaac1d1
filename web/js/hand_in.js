/** The form: a file by button or drop, its options, and the refusal of what the API would refuse anyway. */

import { byId, element, say } from "./dom.js";
import { language, refusal, size } from "./format.js";
import { Problem, showProblem } from "./problem.js";

let limitBytes = Infinity;
let chosen = null;

/** Make the form live. `onSubmit(file, options)` gets what may be sent. */
export function setUpForm(config, onSubmit) {
  limitBytes = config.max_upload_bytes;
  say(byId("limit"), `Audio or video, up to ${size(limitBytes)}`);
  fill(byId("language"), config.languages.map((code) => [code, language(code)]));
  fill(byId("model"), config.models.map((name) => [name, name]));
  byId("file").addEventListener("change", (event) => choose(event.target.files[0] ?? null));
  byId("hand-in").addEventListener("submit", (event) => {
    event.preventDefault();
    if (chosen) onSubmit(chosen, options());
  });
  acceptDrops();
}

/** Empty the form for the next file; the options stay. */
export function clearForm() {
  byId("file").value = "";
  choose(null);
}

function options() {
  const fields = { language: byId("language").value, model: byId("model").value };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value));
}

function choose(file) {
  say(byId("news"), "");
  const reason = file ? refusal(file, limitBytes) : "";
  chosen = reason ? null : file;
  byId("chosen").replaceChildren(...(file ? description(file) : invitation()));
  byId("submit").disabled = chosen === null;
  const title = file?.size ? "The file is too large" : "The file is empty";
  showProblem("form-problem", reason ? new Problem(title, reason) : null);
  if (chosen) byId("submit").focus();
}

const description = (file) => [element("strong", { dir: "auto" }, file.name), ` ${size(file.size)}`];
const invitation = () => [element("strong", {}, "Choose a file"), " or drop it here"];

function fill(select, options) {
  const sorted = options.sort(([, one], [, other]) => one.localeCompare(other));
  select.append(...sorted.map(([value, text]) => element("option", { value }, text)));
}

/** The whole window takes drops: one beside the box would otherwise replace the page with the file. */
function acceptDrops() {
  const form = byId("hand-in");
  const over = (is) => byId("drop").classList.toggle("over", is && !form.hidden);
  addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  addEventListener("dragleave", (event) => event.relatedTarget === null && over(false));
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    const [file] = event.dataTransfer.files;
    if (file && !form.hidden) choose(file);
  });
}
