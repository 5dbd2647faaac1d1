/** Plays the recording from this device; nothing is fetched. */

import { byId, element } from "./dom.js";

let media = null;

/** Put a player for `file` on the page and give it back; null takes the present one away. */
export function showPlayer(file) {
  if (media) URL.revokeObjectURL(media.src);
  media = file && player(file);
  byId("player").replaceChildren(...(media ? [media] : []));
  byId("listen-along").hidden = media !== null;
  return media;
}

function player(file) {
  const made = element(file.type.startsWith("video/") ? "video" : "audio", { controls: true, preload: "metadata" });
  made.setAttribute("aria-label", "Recording");
  const note = element("p", { className: "note" }, "This browser cannot play the file.");
  made.addEventListener("error", () => made.replaceWith(note));
  // Many an .mp4 holds sound alone: no picture, no room for one.
  made.addEventListener("loadedmetadata", () => made.classList.toggle("unpictured", made.videoWidth === 0));
  made.src = URL.createObjectURL(file);
  return made;
}
