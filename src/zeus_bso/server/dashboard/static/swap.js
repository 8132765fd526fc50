// Copies the regions marked data-live from a newly loaded page to this one, and leaves the focus and everything else.

const served = new Map();
for (const region of document.querySelectorAll("[data-live]")) served.set(region.id, region.innerHTML);

let etag = null;
let reading = null;

/** Read an address and show it. Resolves to whether anything has changed. */
export async function read(url, { always = false } = {}) {
  reading?.abort();
  const own = (reading = new AbortController());
  const headers = etag && !always ? { "If-None-Match": etag } : {};
  const response = await fetch(url, { headers, cache: "no-store", credentials: "same-origin", signal: own.signal });
  if (response.status === 304) return false;
  if (response.status === 401) location.reload(); // The session has ended, and the server redirects to the login page.
  if (!response.ok) throw new Error(`${response.status}`);
  const html = await response.text();
  etag = response.headers.get("ETag");
  return show(new DOMParser().parseFromString(html, "text/html"));
}

/** Show an address, and put it into the address bar. */
export async function visit(url) {
  const shown = new URL(url, location.href);
  history.replaceState(null, "", shown);
  if (!(await read(shown, { always: true }))) document.dispatchEvent(new Event("zeus:changed"));
}

function show(page) {
  let changed = false;
  const fresh = [...page.querySelectorAll("[data-live]")];
  const missing = fresh.some((region) => !document.getElementById(region.id));
  const gone = [...document.querySelectorAll("[data-live]")].some((region) => !page.getElementById(region.id));
  if (missing || gone) {
    location.reload(); // The first job has registered or the last one was deleted, so the page is a different one.
    return true;
  }
  for (const region of fresh) {
    const html = region.innerHTML;
    if (served.get(region.id) === html) continue;
    served.set(region.id, html);
    replace(document.getElementById(region.id), region);
    changed = true;
  }
  for (const field of page.querySelectorAll("#sorting input[type=hidden]")) {
    document.querySelector(`#sorting input[name="${field.name}"]`).value = field.value;
  }
  if (changed) document.dispatchEvent(new Event("zeus:changed"));
  return changed;
}

function replace(region, fresh) {
  const focused = region.contains(document.activeElement) ? document.activeElement : null;
  const key = focused?.dataset.key;
  const scrolled = region.querySelector(".scroll")?.scrollLeft ?? 0;
  const onScroller = focused?.classList.contains("scroll");
  region.replaceChildren(...document.importNode(fresh, true).childNodes);
  const scroller = region.querySelector(".scroll");
  if (scroller) scroller.scrollLeft = scrolled;
  if (onScroller) scroller?.focus({ preventScroll: true });
  if (key === undefined) return;
  for (const candidate of region.querySelectorAll("[data-key]")) {
    if (candidate.dataset.key === key) candidate.focus({ preventScroll: true });
  }
}
