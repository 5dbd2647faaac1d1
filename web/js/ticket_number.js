/** The claim ticket in the address: `#job=ID`, so that a reload or a shared link finds the job again. Pure. */

const JOB_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export const isJobId = (id) => typeof id === "string" && JOB_ID.test(id);

export const linkTo = (id) => `#job=${id}`;

/** The id in a location's hash; null if it holds none, so that nothing else ever becomes part of a URL. */
export function jobIdIn(hash) {
  const id = new URLSearchParams(hash.replace(/^#/, "")).get("job");
  return isJobId(id) ? id : null;
}
