// Enhances every page: readable times, filters without a button, live figures, charts.

import "./charts.js";
import { read, visit } from "./swap.js";

const PERIOD_MS = 5000;
const PERIOD_WITHOUT_SERVER_MS = 15000;
const TYPING_MS = 250;

const ago = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" });
const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60]];

function tellTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    const seconds = (Date.now() - moment) / 1000;
    const [unit, length] = STEPS.find(([, length]) => seconds >= length) ?? [null, 1];
    const text = unit ? ago.format(-Math.floor(seconds / length), unit) : "just now";
    if (time.textContent !== text) time.textContent = text;
    time.title = moment.toLocaleString();
  }
}

const live = document.getElementById("live");
function tellLive(state, text) {
  if (live.dataset.state === state) return;
  live.dataset.state = state;
  live.textContent = text;
  live.hidden = false;
}

const gap = document.getElementById("gap");
let answeredAt = new Date();
/** Say boldly since when the page knows nothing new, or nothing if the server answers. */
function tellGap(lost) {
  if (!lost) answeredAt = new Date();
  if (gap.hidden === !lost) return;
  gap.textContent = lost
    ? `The server has not answered since ${answeredAt.toLocaleTimeString()}. This page shows what was known then.`
    : "";
  gap.hidden = !lost;
}

let timer = 0;
async function poll() {
  clearTimeout(timer);
  if (document.hidden) {
    tellLive("paused", "Paused");
    return;
  }
  let period = PERIOD_MS;
  try {
    await read(location.href);
    tellLive("on", "Live");
    tellGap(false);
  } catch (error) {
    if (error.name !== "AbortError") {
      tellLive("lost", "No answer");
      tellGap(true);
      period = PERIOD_WITHOUT_SERVER_MS;
    }
  }
  timer = setTimeout(poll, period);
}

async function follow(url) {
  clearTimeout(timer);
  try {
    await visit(url);
  } catch (error) {
    if (error.name !== "AbortError") location.assign(url);
    return;
  }
  timer = setTimeout(poll, PERIOD_MS);
}

function addressOf(form, submitter) {
  const url = new URL(form.action);
  url.search = new URLSearchParams([...new FormData(form, submitter)].filter(([, value]) => value !== ""));
  return url;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!("swap" in form.dataset)) return;
  event.preventDefault();
  follow(addressOf(form, event.submitter));
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  follow(link.href);
});
let typing = 0;
document.addEventListener("input", (event) => {
  const form = event.target.closest("form.filter[data-swap]");
  if (!form) return;
  clearTimeout(typing);
  typing = setTimeout(() => follow(addressOf(form)), event.target.type === "search" ? TYPING_MS : 0);
});
document.addEventListener("visibilitychange", poll);
document.addEventListener("zeus:changed", tellTimes);

tellTimes();
setInterval(tellTimes, 10000);
if (document.querySelector("[data-live]")) timer = setTimeout(poll, PERIOD_MS), tellLive("on", "Live");
