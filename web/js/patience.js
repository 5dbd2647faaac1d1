/** How long to wait before asking again, and the wait itself. */

const LONGEST_S = 30;

/** 1, 2, 4, ... seconds, with jitter, so that pages that lost the service together do not come back together. */
export const backOffS = (failures) => Math.min(LONGEST_S, 2 ** (failures - 1)) * (0.75 + Math.random() / 4);

/** Wait; shorter if the browser comes back online. Rejects with the signal's reason. */
export function pause(waitS, signal) {
  return new Promise((resolve, reject) => {
    const ended = new AbortController();
    const end = (settle, value) => {
      clearTimeout(timer);
      ended.abort();
      settle(value);
    };
    const timer = setTimeout(() => end(resolve), waitS * 1000);
    if (signal.aborted) end(reject, signal.reason);
    signal.addEventListener("abort", () => end(reject, signal.reason), { signal: ended.signal });
    window.addEventListener("online", () => end(resolve), { signal: ended.signal });
  });
}
