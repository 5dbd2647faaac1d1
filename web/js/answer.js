/** What a model answered, and the result of a task that the page does not know. All of it is shown as text. */

import { byId, element, say } from "./dom.js";
import { count, whole } from "./format.js";
import { showPicture } from "./picture.js";
import { nameOf } from "./tasks.js";

const OURS = ["describe", "summarize", "complete"]; // Of these the page knows what is in the result.

const precise = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** Draw the result; `file` is what was handed in, if this page still has it. Gives facts about the source. */
export function showAnswer(job, file) {
  const { result, options } = job;
  const { text, data } = contentOf(job);
  const node = byId("answer-text");
  node.lang = options.language ?? "";
  say(node, text);
  say(byId("answer-data"), data);
  byId("empty").hidden = text.trim() !== "" || data !== "";
  showTags(result.tags);
  byId("picture").alt = `The image ${nameOf(job)}`;
  showPicture(byId("picture"), job.task === "describe" ? file : null);
  showUsage(result);
  return OURS.includes(job.task) ? facts(result) : [];
}

/** The text that is worth copying, and where it stands. */
export function answerCopy() {
  const node = byId("answer-text").hidden ? byId("answer-data") : byId("answer-text");
  return { text: node.textContent, source: node };
}

/** Of an answer after a schema the JSON says more than its text; of a task that is not ours nobody knows. */
function contentOf({ task, result }) {
  const pretty = (value) => JSON.stringify(value, null, 2);
  if (!OURS.includes(task)) return { text: "", data: pretty(result) };
  const structured = result.data !== undefined && result.data !== null;
  return structured ? { text: "", data: pretty(result.data) } : { text: String(result.text ?? ""), data: "" };
}

function facts({ width_px, height_px, pages, chars, windows }) {
  const found = [];
  if (width_px && height_px) found.push(`${width_px} by ${height_px} pixels`);
  if (pages) found.push(count(pages, "page"));
  if (chars) found.push(count(chars, "character"));
  if (windows > 1) found.push(`read in ${count(windows, "piece")}`);
  return found;
}

function showTags(tags) {
  const words = Array.isArray(tags) ? tags.map(String) : [];
  byId("tags").replaceChildren(...words.map((word) => element("li", { dir: "auto" }, word)));
  byId("tags").hidden = words.length === 0;
}

/** What it took, in small facts. */
function showUsage({ model, prompt, usage }) {
  const rows = [];
  if (model) rows.push(["Model", model]);
  if (usage) rows.push(...rowsOf(usage));
  if (prompt) rows.push(["Instructions", prompt]);
  byId("usage").replaceChildren(
    ...rows.map(([name, text]) => element("div", {}, element("dt", {}, name), element("dd", {}, String(text)))),
  );
  byId("usage").hidden = rows.length === 0;
}

function rowsOf({ requests, lost_requests, input_tokens, output_tokens, cost, currency }) {
  const rows = [];
  if (requests > 1) rows.push(["Requests", whole.format(requests)]);
  if (input_tokens || output_tokens) rows.push(["Tokens", `${whole.format(input_tokens)} in, ${whole.format(output_tokens)} out`]);
  if (typeof cost === "number") rows.push(["Cost", `${precise.format(cost)} ${currency ?? ""}`]);
  if (lost_requests > 0) rows.push(["Lost requests", `${whole.format(lost_requests)}, not in the cost`]);
  return rows;
}
