/** Put text on the clipboard and say so. */

import { byId, say } from "./dom.js";

/** Make a button copy what `text()` gives; `source()` is selected instead where the browser forbids copying. */
export function setUpCopy(button, text, source) {
  const label = button.textContent;
  let timer = 0;
  button.addEventListener("click", async () => {
    const done = await copied(text(), source());
    button.textContent = done;
    say(byId("said"), done);
    clearTimeout(timer);
    timer = setTimeout(() => (button.textContent = label), 2500);
  });
}

async function copied(text, source) {
  try {
    await navigator.clipboard.writeText(text); // Only in secure contexts: https or localhost.
    return "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    return "Press Ctrl+C";
  }
}
