/** Find and make elements. Everything goes in as text: file names, transcripts and problems come from strangers. */

export const byId = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Set a text; without one its box is away. An unchanged one is left alone: screen readers would read it again. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
  node.hidden = text === "";
}

/** Show one of the views, its companions, and nothing else. */
export function showOnly(...ids) {
  for (const id of ["hand-in", "ticket", "result", "recent"]) byId(id).hidden = !ids.includes(id);
}
