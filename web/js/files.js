/** Files that come to the form: by its chooser, dropped anywhere on the page, or pasted. */

import { byId } from "./dom.js";

/** `onFile(file)` gets the first of those that come; null when the chooser was left without one. */
export function acceptFiles(onFile) {
  byId("file").addEventListener("change", (event) => onFile(event.target.files[0] ?? null));
  acceptDrops(onFile);
  addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    // Office programs put a picture of the text beside the text.
    if (!file || event.clipboardData.types.includes("text/plain") || byId("hand-in").hidden) return;
    event.preventDefault();
    onFile(file);
  });
}

/** The whole window takes drops: one beside the box would otherwise replace the page with the file. */
function acceptDrops(onFile) {
  const form = byId("hand-in");
  const over = (is) => byId("drop").classList.toggle("over", is && !form.hidden);
  addEventListener("dragover", (event) => {
    if (isText(event)) return;
    event.preventDefault();
    over(true);
  });
  addEventListener("dragleave", (event) => event.relatedTarget === null && over(false));
  addEventListener("drop", (event) => {
    if (isText(event)) return;
    event.preventDefault();
    over(false);
    const [file] = event.dataTransfer.files;
    if (file && !form.hidden) onFile(file);
  });
}

/** Whether a piece of text is dragged into a field for text, which is the browser's own business. */
function isText({ dataTransfer, target }) {
  return !dataTransfer.types.includes("Files") && Boolean(target.closest?.("textarea"));
}
