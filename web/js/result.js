/** The result of a job that succeeded: what all results have, and the part of the page for the kind it is of. */

import { answerCopy, showAnswer } from "./answer.js";
import { setUpCopy } from "./copy.js";
import { byId, element, say } from "./dom.js";
import { showDownloads } from "./download.js";
import { sentence } from "./format.js";
import { showPicture } from "./picture.js";
import { showPlayer } from "./player.js";
import { wordsOf } from "./tasks.js";
import { showTranscript, transcriptFacts } from "./transcript.js";

const NOTHING = { text: "", source: null };

let copied = NOTHING; // what the button copies, and where it stands

export function setUpResult() {
  setUpCopy(byId("copy-text"), () => copied.text, () => copied.source);
}

/** The page shows something else: let go of the visitor's file. */
export function clearResult() {
  showPlayer(null);
  showPicture(byId("picture"), null);
  copied = NOTHING;
}

/**
 * Draw the result. `file` is what was handed in, if this page still has it; `onSummarize`, where there is one, hands the
 * job in to be summarized.
 */
export function showResult(job, { file = null, onSummarize }) {
  const { result, task } = job;
  const spoken = task === "transcribe";
  const { result: what } = wordsOf(task);
  say(byId("result-title"), what.charAt(0).toUpperCase() + what.slice(1));
  byId("demonstration").hidden = result.demonstration !== true;
  byId("transcript").hidden = !spoken;
  byId("answer").hidden = spoken;
  if (spoken) showTranscript(result, file);
  say(byId("result-facts"), (spoken ? transcriptFacts(result) : showAnswer(job, file)).join(", "));
  copied = spoken ? { text: result.text, source: byId("segments") } : answerCopy();
  byId("copy-text").hidden = copied.text === "";
  const summarizes = spoken && copied.text !== "" && onSummarize !== null;
  Object.assign(byId("summarize"), { hidden: !summarizes, onclick: onSummarize });
  showDownloads(job);
  showWarnings(Array.isArray(result.warnings) ? result.warnings : []);
  byId("result").hidden = false;
}

function showWarnings(warnings) {
  const shown = warnings.filter((warning) => warning.slug !== "no-speech"); // The transcript says that itself.
  byId("warnings").replaceChildren(...shown.map((warning) => element("li", {}, sentence(String(warning.detail)))));
  byId("warnings").hidden = shown.length === 0;
}
