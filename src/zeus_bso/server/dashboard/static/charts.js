// Draws the charts when they come into view, and again when the job, the theme or the span changes.

const home = document.getElementById("charts");
const script = home?.dataset.script;
const small = matchMedia("(max-width: 760px)");
const coarse = matchMedia("(pointer: coarse)");
const states = new Map();

let loading = null;
function plotly() {
  loading ??= new Promise((resolve, reject) => {
    for (const id of home.dataset.takenIds.split(" ").filter(Boolean)) {
      const taken = document.createElement("meta");
      taken.id = id;
      document.head.append(taken);
    }
    const element = document.createElement("script");
    element.src = script;
    element.addEventListener("load", () => resolve(window.Plotly));
    element.addEventListener("error", () => reject(new Error("Plotly did not load")));
    document.head.append(element);
  });
  return loading;
}

/** Replace names of CSS variables with their values in the theme. */
function resolved(value, style) {
  if (typeof value === "string") {
    const name = /^var\((--[\w-]+)\)$/.exec(value)?.[1];
    return name ? style.getPropertyValue(name).trim() : value;
  }
  if (Array.isArray(value)) return value.map((part) => resolved(part, style));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, resolved(part, style)]));
  }
  return value;
}

const axis = {
  gridcolor: "var(--line)", zerolinecolor: "var(--line-strong)", linecolor: "var(--line-strong)", showline: true,
  ticks: "outside", tickcolor: "var(--line-strong)", ticklen: 4, automargin: true, tickfont: { size: 12 },
};
const common = {
  paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest", autosize: true,
  font: { family: "system-ui, sans-serif", size: 13, color: "var(--muted)" },
  hoverlabel: { bgcolor: "var(--surface)", bordercolor: "var(--line-strong)", font: { color: "var(--text)", size: 13 } },
  legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 }, itemsizing: "constant" },
};

function laidOut(layout) {
  const { xaxis, yaxis, ...rest } = layout;
  const title = (given) => ({ ...given, title: { font: { size: 12.5 }, standoff: 8, ...given?.title } });
  return {
    ...common,
    ...rest,
    dragmode: coarse.matches ? false : "zoom",
    margin: small.matches ? { l: 44, r: 8, t: 8, b: 36 } : { l: 56, r: 12, t: 8, b: 40 },
    xaxis: { ...axis, showgrid: false, zeroline: false, ...title(xaxis) },
    yaxis: { ...axis, ...title(yaxis) },
  };
}

async function draw(figure) {
  const state = states.get(figure);
  const plot = figure.querySelector(".plot");
  if (!plot || !state?.chart) return;
  figure.querySelector(".summary").textContent = state.chart.summary;
  plot.setAttribute("aria-label", state.chart.summary);
  plot.toggleAttribute("data-empty", state.chart.data.length === 0);
  if (state.chart.data.length) {
    const Plotly = await plotly();
    const style = getComputedStyle(document.documentElement);
    const data = resolved(state.chart.data, style);
    const layout = resolved(laidOut(state.chart.layout), style);
    await Plotly.react(plot, data, layout, { displayModeBar: false, responsive: true, displaylogo: false });
  }
  plot.removeAttribute("aria-busy");
  figure.dataset.drawn = "";
}

async function load(figure) {
  const state = states.get(figure);
  const url = new URL(figure.dataset.chart, location.href);
  const span = figure.querySelector("input[name=span]:checked")?.value;
  if (span) url.searchParams.set("span", span);
  if (state.url !== url.href) state.etag = null;
  state.url = url.href;
  const data = figure.querySelector("a.data");
  if (span) data.search = new URLSearchParams({ ...Object.fromEntries(new URLSearchParams(data.search)), span });
  const headers = state.etag ? { "If-None-Match": state.etag } : {};
  try {
    const response = await fetch(url, { headers, cache: "no-store", credentials: "same-origin" });
    if (response.status === 304 || state.url !== url.href) return;
    if (!response.ok) throw new Error(`${response.status}`);
    state.etag = response.headers.get("ETag");
    state.chart = await response.json();
    await draw(figure);
  } catch {
    if (!state.chart) figure.querySelector(".summary").textContent = "The chart could not be loaded.";
  }
}

const inView = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const state = states.get(target);
      state.visible = isIntersecting;
      if (isIntersecting && state.stale) {
        state.stale = false;
        load(target);
      }
    }
  },
  { rootMargin: "300px" },
);

for (const figure of document.querySelectorAll("[data-chart]")) {
  states.set(figure, { stale: true, visible: false });
  const spans = figure.querySelector(".spans");
  if (spans && script) {
    spans.hidden = false;
    spans.addEventListener("change", () => load(figure));
  }
  if (script) inView.observe(figure);
}
document.addEventListener("zeus:changed", () => {
  for (const [figure, state] of states) {
    if (state.visible) load(figure);
    else state.stale = true;
  }
});
document.addEventListener("zeus:theme", () => {
  for (const figure of states.keys()) draw(figure);
});
