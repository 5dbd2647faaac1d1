/** Which task the form is for: what the visitor chose, or what a file suggested, which can be taken back. */

import { byId, element, say } from "./dom.js";

let tasks = [];
let present = null;
let deliberate = false;
let tell = null;

/** Offer these tasks, the first of them chosen. `onChange(task)` gets the present one, now and whenever it changes. */
export function setUpChooser(offered, onChange) {
  [tasks, tell] = [offered, onChange];
  byId("tasks").replaceChildren(...tasks.map(choice));
  turnTo(tasks[0]);
}

export const presentTask = () => present;

/** Whatever was chosen stays; the next file may suggest another task. */
export function forgetChoice() {
  deliberate = false;
  suggestNoMore();
}

/** Turn to the task that `find(tasks, present)` gives, unless the visitor chose one; `since` says why, to who reads. */
export function suggest(find, since) {
  // A task that takes no file would leave whoever brings one with nothing.
  const target = deliberate && present.takes ? present : find(tasks, present);
  if (target === present) return;
  const before = present;
  turnTo(target);
  const text = `${target.label} was chosen, since ${since}.`;
  say(byId("moved").querySelector("p"), text);
  say(byId("said"), text);
  say(byId("move-back"), `Back to ${before.label}`);
  byId("move-back").onclick = () => choose(before);
  byId("moved").hidden = false;
}

function choice(task) {
  const input = element("input", { type: "radio", name: "task", value: task.name, onclick: () => choose(task) }); // also by an arrow key
  return element("label", { className: "choice" }, input, element("span", {}, task.label));
}

/** The visitor wants this one. */
function choose(task) {
  deliberate = true;
  const backByButton = byId("moved").contains(document.activeElement);
  suggestNoMore();
  turnTo(task);
  if (backByButton) document.querySelector("[name=task]:checked").focus(); // The button has gone.
}

function suggestNoMore() {
  byId("moved").hidden = true;
}

function turnTo(task) {
  present = task;
  for (const input of document.querySelectorAll("[name=task]")) input.checked = input.value === task.name;
  tell(task);
}
