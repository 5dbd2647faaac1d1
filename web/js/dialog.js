/** Dialogs with one form each: ask, and give back which button was pressed. */

/**
 * Open it; resolves to the value of the button that closed it, "" for Escape. Rejects with the signal's reason, and the
 * dialog is gone then. The browser itself moves the focus in, keeps it there and gives it back.
 */
export function ask(dialog, signal) {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const ended = new AbortController();
    const on = (target, event, act) => target?.addEventListener(event, act, { signal: ended.signal });
    on(dialog.querySelector("form"), "submit", (event) => {
      event.preventDefault();
      dialog.close(event.submitter?.value);
    });
    on(dialog, "close", () => {
      ended.abort();
      if (signal?.aborted) reject(signal.reason);
      else resolve(dialog.returnValue);
    });
    on(signal, "abort", () => dialog.close());
    dialog.returnValue = "";
    dialog.showModal();
  });
}
