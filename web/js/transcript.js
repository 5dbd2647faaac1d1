/** The transcript: segments that seek, and their highlight while the recording plays. */

import { byId, element } from "./dom.js";
import { clock, language } from "./format.js";
import { showPlayer } from "./player.js";

const SMOOTH = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";

const CLOSE_S = 0.05; // a player that was sent to 7.52 s may report 7.519

/** Draw the segments of a transcript; `file` is the recording if this page still has it. */
export function showTranscript(result, file) {
  const rows = result.segments.map(segmentRow);
  const list = byId("segments");
  list.lang = result.language ?? "";
  list.replaceChildren(...rows);
  byId("silence").hidden = rows.length > 0;
  listen(rows, result.segments, file ?? null);
  byId("recording").onchange = (event) => listen(rows, result.segments, event.target.files[0] ?? null);
}

/** Of a transcript, in a line. */
export function transcriptFacts(result) {
  const sure = result.language_probability;
  const share = sure !== null && sure < 1 ? ` (${Math.round(sure * 100)} %)` : "";
  const spoken = result.language ? [`${language(result.language)}${share}`] : [];
  return [...spoken, clock(result.duration_s), `model ${result.model}`];
}

function segmentRow(segment) {
  const time = element("button", { type: "button", className: "time" }, clock(segment.start_s));
  return element("li", {}, time, element("span", { dir: "auto" }, segment.text));
}

/** Tie the segments to a player of `file`; without one their times are only text. */
function listen(rows, segments, file) {
  const player = showPlayer(file);
  byId("segments").classList.toggle("audible", player !== null);
  rows.forEach((row, index) => {
    const time = row.querySelector("button");
    time.disabled = player === null;
    time.setAttribute("aria-label", player ? `Play from ${time.textContent}` : time.textContent);
    row.onclick = player && ((event) => seeks(event, time) && play(player, segments[index].start_s));
  });
  if (player) player.ontimeupdate = () => mark(rows, indexAt(segments, player.currentTime), !player.paused);
}

/** A click on the text seeks too, unless it was the end of selecting some. */
const seeks = (event, time) => event.target === time || getSelection().isCollapsed;

function play(player, startS) {
  player.currentTime = startS;
  player.play().catch(() => {}); // Autoplay may be forbidden; the position is set all the same.
}

/** Index of the last segment that has begun, -1 before the first. */
function indexAt(segments, seconds) {
  return segments.findLastIndex((segment) => segment.start_s <= seconds + CLOSE_S);
}

function mark(rows, index, scrolls) {
  const present = rows.findIndex((row) => row.ariaCurrent === "true");
  if (present === index) return;
  rows[present]?.removeAttribute("aria-current");
  rows[index]?.setAttribute("aria-current", "true");
  if (scrolls) rows[index]?.scrollIntoView({ block: "nearest", behavior: SMOOTH });
}
