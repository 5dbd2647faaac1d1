/** The tasks in the page's words, and which of them takes a file. Pure. */

const TEXT = "text/plain";
const DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

// Browsers do not know the type of every file; the API goes by the content anyway.
const TYPES = { docx: DOCX, pdf: "application/pdf", md: TEXT, txt: TEXT, csv: TEXT, log: TEXT };
const EXTENSIONS = { [DOCX]: ".docx", "text/*": ".md" }; // what choosers of files do not find by these types alone

/**
 * `thing` and `result` are what goes in and comes out; `takes` is for whoever looks for a file, `text` for whoever types,
 * each missing where the page offers it not; `json` is the option that is typed as JSON.
 */
const WORDS = {
  transcribe: {
    title: "Hand in a recording", thing: "recording", result: "transcript", takes: "Audio or video",
    promise: "Speech comes back as text with its times, and as subtitles.",
    language: { label: "Language spoken", none: "Detect it" },
  },
  describe: {
    title: "Hand in an image", thing: "image", result: "description", takes: "JPEG, PNG, WebP or GIF",
    promise: "What is to be seen comes back in words, with tags.",
    invitation: ", drop it here or paste it",
    language: { label: "Language of the description", none: "English" },
    json: {
      option: "json_schema", title: "Extract data instead",
      label: "JSON Schema of what to read from the image; the result is then data instead of a description",
    },
  },
  summarize: {
    title: "Hand in a text", thing: "text", result: "summary", takes: "Text, PDF or DOCX",
    promise: "A long text comes back short.",
    text: "Paste a text", fileName: "text.txt", invitation: " instead, or drop it here",
    language: { label: "Language of the summary", none: "That of the text" }, numbers: ["max_words"],
  },
  complete: {
    title: "Hand in a prompt", thing: "prompt", result: "answer",
    promise: "A language model answers, in text or as data.",
    text: "What should the model do?", fileName: "prompt.txt", numbers: ["max_output_tokens"],
    json: { option: "json_schema", title: "Ask for JSON", label: "JSON Schema that the answer has to keep to" },
  },
};

/** What the page says of the task with this name; of one that it does not know, what fits all. */
export function wordsOf(name) {
  const label = (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll(/[-_]/g, " ");
  return { label, ...(WORDS[name] ?? {
    title: "Hand in a file", thing: "file", result: "result",
    json: { option: null, title: "Options", label: "Options of this task, as a JSON object" },
  }) };
}

/** What the job is called: its file's name, or what it is that has none. */
export function nameOf({ file, task }) {
  if (file.name) return file.name;
  const { thing } = wordsOf(task);
  return `${thing.charAt(0).toUpperCase()}${thing.slice(1)} without a name`;
}

/** The tasks that the page offers, in its order, each with its words: those that take a file or a text. */
export function offered(tasks) {
  const order = Object.keys(WORDS);
  const place = ({ name }) => (order.includes(name) ? order.indexOf(name) : order.length);
  return tasks.map(withWords).filter(({ takes, text }) => takes || text).sort((one, other) => place(one) - place(other));
}

function withWords(task) {
  const known = task.name in WORDS;
  const has = (kind) => task.inputs.includes(kind);
  const words = wordsOf(task.name);
  return {
    ...task,
    ...words,
    takes: has("file") ? (known ? words.takes : kinds(task.media_types)) : undefined,
    text: has("text") ? (known ? words.text : "Type or paste a text") : undefined,
    fileName: words.fileName ?? "text.txt",
    accept: task.media_types.flatMap((type) => (EXTENSIONS[type] ? [type, EXTENSIONS[type]] : [type])).join(),
  };
}

const kinds = (types) => (types.includes("*/*") || types.includes("*") ? "Any file" : types.join(", "));

/** The file's media type as far as it is known before anyone looks inside; "" if it is not. */
export const typeOf = (file) => file.type || TYPES[file.name.split(".").at(-1).toLowerCase()] || "";

/** What the file is, in a word, with its article. */
export function kindOf(file) {
  const type = typeOf(file);
  const kinds = { "image/*": "an image", "audio/*": "a recording", "video/*": "a video", "text/*": "a text" };
  const names = { "application/pdf": "a PDF", [DOCX]: "a document" };
  const pattern = Object.keys(kinds).find((pattern) => matches(type, pattern));
  return names[type] ?? kinds[pattern] ?? (type || "of a kind that is not known here");
}

/** The task for this file: `present` unless it certainly takes something else, and another one takes this, or the like. */
export function fitting(tasks, present, file) {
  const type = typeOf(file);
  if (type === "" && present.takes) return present;
  const [kind] = type.split("/");
  const takes = (like) => (task) => task.takes && task.media_types.some((pattern) => like(pattern));
  const it = takes((pattern) => matches(type, pattern));
  // A picture of a format that nobody takes is refused in the right words where pictures are taken.
  const itsLike = takes((pattern) => kind !== "application" && pattern.startsWith(`${kind}/`));
  return [present].find(it) ?? tasks.find(it) ?? tasks.find(itsLike) ?? [present, ...tasks].find((task) => task.takes);
}

function matches(type, pattern) {
  const [kind, rest] = pattern === "*" ? ["*", "*"] : pattern.split("/");
  return pattern === type || (rest === "*" && (kind === "*" || type.startsWith(`${kind}/`)));
}
