/** The form: a task, its input, its options, and the refusal of what the API would refuse anyway. */

import { forgetChoice, presentTask, setUpChooser, suggest } from "./chooser.js";
import { byId, element, say } from "./dom.js";
import { acceptFiles } from "./files.js";
import { refusal, size } from "./format.js";
import { readOptions, setUpOptions, showOptions } from "./options.js";
import { showPicture } from "./picture.js";
import { Problem, showProblem } from "./problem.js";
import { fitting, kindOf, offered } from "./tasks.js";

let chosen = null; // the file, also one that is refused

/** Make the form live. `onSubmit({task, options, file, typed})` gets what may be sent; `typed`: the file is a text. */
export function setUpForm(config, onSubmit) {
  setUpOptions(config.languages);
  setUpChooser(offered(config.tasks), showTask);
  acceptFiles(choose);
  for (const id of ["text", "json"]) byId(id).addEventListener("input", judge);
  byId("remove").addEventListener("click", () => {
    choose(null);
    byId("file").focus();
  });
  byId("hand-in").addEventListener("submit", (event) => {
    event.preventDefault();
    submit(onSubmit);
  });
}

/** Empty the form for the next file; options and task stay, and so does a text until `clearText`. */
export function clearForm() {
  forgetChoice();
  choose(null);
}

/** The text has got its ticket, or is nobody's business any more. */
export function clearText() {
  byId("text").value = "";
  judge();
}

function submit(onSubmit) {
  const task = presentTask();
  if (input(task).refused !== "") return;
  try {
    const options = readOptions(task);
    onSubmit({ task: task.name, options, file: file(task), typed: !given(task) });
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    showProblem("form-problem", cause);
  }
}

/** The file that the task is to work on; null if it is to be a text. */
const given = (task) => (task.takes ? chosen : null);

/** A text goes the way of all files, so that a broken connection costs it no more than them. */
function file(task) {
  return given(task) ?? new File([byId("text").value], task.fileName, { type: "text/plain" });
}

/** What there is to send: `what` it is, and why it is `refused`: "" if it is not, null if there is nothing yet. */
function input(task) {
  if (given(task)) return { what: "file", refused: refusal(chosen, task.max_bytes) };
  if (!task.text || !byId("text").value.trim()) return { what: "text", refused: null };
  return { what: "text", refused: refusal(file(task), task.max_bytes, "text") };
}

function showTask(task) {
  say(byId("hand-in-title"), task.title);
  say(byId("promise"), task.promise ?? "");
  say(byId("text-label"), task.text ?? "");
  say(byId("limit"), `${task.takes}, up to ${size(task.max_bytes).replace(" ", "\u00a0")}`);
  byId("file").accept = task.accept;
  byId("model-ahead").hidden = !task.lacks_model;
  byId("demonstration-ahead").hidden = !task.models.length || task.models.some((model) => !model.demonstration);
  showOptions(task);
  showInput(task);
}

function choose(file) {
  say(byId("news"), "");
  if (!file) byId("file").value = "";
  chosen = file;
  if (file) suggest((tasks, present) => fitting(tasks, present, file), `the file is ${kindOf(file)}`);
  showInput(presentTask());
  if (!byId("submit").disabled && file) byId("submit").focus();
}

/** Draw what was given so far: a file stands in the text's place until it is taken away. */
function showInput(task) {
  const file = given(task);
  byId("given").hidden = !task.takes;
  byId("typed").hidden = !task.text || file !== null;
  byId("chosen").replaceChildren(...(file ? description(file) : invitation(task)));
  byId("remove").hidden = file === null;
  showPicture(byId("preview"), file);
  judge();
}

/** Say whether what was given may be sent. */
function judge() {
  const { what, refused } = input(presentTask());
  byId("submit").disabled = refused !== "";
  const title = what === "file" && !chosen.size ? "The file is empty" : `The ${what} is too large`;
  showProblem("form-problem", refused ? new Problem(title, refused) : null);
}

const description = (file) => [element("strong", { dir: "auto" }, file.name), ` ${size(file.size)}`];
const invitation = (task) => [element("strong", {}, "Choose a file"), task.invitation ?? " or drop it here"];
