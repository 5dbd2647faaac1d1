/** Shows an image from this device; nothing is fetched. */

/** Show `file` in this `img`; null, or what is no picture that the browser knows, takes it away. */
export function showPicture(img, file) {
  URL.revokeObjectURL(img.src);
  img.removeAttribute("src");
  img.hidden = true;
  if (!file?.type.startsWith("image/")) return;
  img.onload = () => (img.hidden = false);
  img.src = URL.createObjectURL(file);
}
