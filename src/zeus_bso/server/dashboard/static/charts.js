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
  separatethousands: true,
};
const common = {
  paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest", autosize: true, separators: ".\u202f",
  font: { family: "system-ui, sans-serif", size: 13, color: "var(--muted)" },
  hoverlabel: { bgcolor: "var(--surface)", bordercolor: "var(--line-strong)", font: { family: "system-ui, sans-serif", color: "var(--text)", size: 13 } },
  legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 }, itemsizing: "constant" },
};

const DATE_PX = 95;
/** Times of a day stand above the day, without the year, so that they fit upright on a phone. */
const TIMES = [
  { dtickrange: [1000, 59999], value: "%H:%M:%S\n%b %-d" },
  { dtickrange: [60000, 86399999], value: "%H:%M\n%b %-d" },
];
const CROWDED_FROM = 60;
const CHARACTER_PX = 7;
const BETWEEN_LABELS_PX = 8;

/** An axis with no more labels than fit beside each other. */
function roomy(given, width) {
  if (given?.type === "date" && !given.tickvals) {
    return { ...given, nticks: Math.max(4, Math.floor(width / DATE_PX)), tickformatstops: TIMES };
  }
  if (!given?.tickvals) return given;
  const texts = given.ticktext ?? given.tickvals.map(String);
  const room = (width - BETWEEN_LABELS_PX) / texts.length;
  const isTooWide = (text, next) => next && (text.length + next.length) / 2 * CHARACTER_PX + BETWEEN_LABELS_PX > every * room;
  let every = 1;
  while (texts.some((text, place) => place % every === 0 && isTooWide(text, texts[place + every]))) every += 1;
  const thinned = (values) => values?.filter((_, place) => place % every === 0);
  return { ...given, tickvals: thinned(given.tickvals), ticktext: thinned(given.ticktext) };
}

/** The traces with marks that do not hide each other on a phone. */
function fitted(data) {
  const runs = data.reduce((sum, { customdata }) => sum + (customdata?.length ?? 0), 0);
  if (!small.matches || runs < CROWDED_FROM) return data;
  return data.map((trace) => {
    const { customdata, marker } = trace;
    const isOfRuns = customdata && typeof marker?.size === "number";
    return isOfRuns ? { ...trace, marker: { ...marker, size: marker.size * 0.6 } } : trace;
  });
}

function laidOut(layout, { story, width }) {
  const { xaxis, yaxis, ...rest } = layout;
  const title = (given) => ({ ...given, title: { font: { size: 12.5 }, standoff: 8, ...given?.title } });
  return {
    ...common,
    ...rest,
    showlegend: !(story && small.matches), // It would take half of the picture, whose words say the same.
    dragmode: coarse.matches ? false : "zoom",
    margin: small.matches ? { l: 44, r: 18, t: 8, b: 36 } : { l: 56, r: 20, t: 8, b: 40 },
    xaxis: { ...axis, showgrid: false, zeroline: false, ...title(roomy(xaxis, width)) },
    yaxis: { ...axis, ...title(yaxis) },
  };
}

// A tap counts as a double click, which would change the range.
const SETTINGS = { displayModeBar: false, responsive: true, displaylogo: false, ...(coarse.matches && { doubleClick: false }) };

async function draw(figure) {
  const state = states.get(figure);
  const plot = figure.querySelector(".plot");
  if (!plot || !state?.chart) return;
  figure.querySelector(".summary").textContent = state.chart.summary;
  plot.setAttribute("aria-label", state.chart.summary);
  plot.toggleAttribute("data-empty", state.chart.data.length === 0);
  const table = figure.querySelector("a.data");
  if (table) table.hidden = state.chart.data.length === 0;
  if (state.chart.data.length) {
    const Plotly = await plotly();
    const style = getComputedStyle(document.documentElement);
    const data = resolved(fitted(state.chart.data), style);
    const shape = { story: figure.id === "chart-cost", width: plot.clientWidth - 80 };
    const layout = resolved(laidOut(state.chart.layout, shape), style);
    await Plotly.react(plot, data, layout, SETTINGS);
    followMarks(figure, plot);
  }
  plot.removeAttribute("aria-busy");
  figure.dataset.drawn = "";
}

/** What the reader has chosen for a chart: its own switches, and the filter of the table of trials. */
function choices(figure) {
  const own = [...figure.querySelectorAll(".switch input:checked")].map((input) => [input.name, input.value]);
  const asked = new URLSearchParams(location.search);
  const filter = "filtered" in figure.dataset ? ["size", "state"].map((name) => [name, asked.get(name) ?? ""]) : [];
  return [...own, ...filter];
}

function withChoices(address, chosen) {
  const url = new URL(address, location.href);
  for (const [name, value] of chosen) {
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  }
  return url;
}

/** The marks of a chart that are trials, by number, as [number, text, trace, mark]. */
function marksOf(plot) {
  const marks = plot.data.flatMap((trace, curve) =>
    (trace.visible ?? true) === true ? (trace.customdata ?? []).map((number, mark) => [number, trace.hovertext[mark], curve, mark]) : [],
  );
  return marks.sort((one, other) => one[0] - other[0] || one[3] - other[3]);
}

/** Tell of a trial below the chart, with a link to it, and point at its mark. */
function pointAt(figure, plot, [number, text, curve, mark], { hover }) {
  const pointed = figure.querySelector(".pointed");
  const link = pointed.querySelector("a");
  pointed.querySelector(".told").textContent = text.replaceAll("<br>", ", ");
  link.hidden = false;
  link.href = figure.dataset.trial + number;
  link.firstElementChild.textContent = ` ${number}`;
  states.get(figure).pointed = [curve, mark];
  if (hover) window.Plotly.Fx.hover(plot, [{ curveNumber: curve, pointNumber: mark }]);
}

/** Point at the next mark, or the one before. */
function step(figure, by) {
  const plot = figure.querySelector(".plot");
  const marks = marksOf(plot);
  if (!marks.length) return;
  const [curve, mark] = states.get(figure).pointed ?? [];
  const at = marks.findIndex((one) => one[2] === curve && one[3] === mark);
  const next = at < 0 ? marks.length - 1 : Math.min(Math.max(at + by, 0), marks.length - 1);
  pointAt(figure, plot, marks[next], { hover: true });
}

function followMarks(figure, plot) {
  const pointed = figure.querySelector(".pointed");
  if (!pointed) return;
  pointed.hidden = marksOf(plot).length === 0;
  if (plot.dataset.followed !== undefined) return;
  plot.dataset.followed = "";
  const told = ({ points }) => {
    const point = points.find((one) => one.customdata !== undefined && one.hovertext !== undefined);
    if (point) pointAt(figure, plot, [point.customdata, point.hovertext, point.curveNumber, point.pointNumber], { hover: false });
    return point;
  };
  plot.on("plotly_hover", told);
  plot.on("plotly_click", (event) => {
    // A finger has no hover: its first tap tells, and the link below opens.
    if (told(event) && !coarse.matches) pointed.querySelector("a").click();
  });
}

async function load(figure) {
  const state = states.get(figure);
  const chosen = choices(figure);
  const url = withChoices(figure.dataset.chart, chosen);
  if (state.url !== url.href) state.etag = null;
  state.url = url.href;
  const data = figure.querySelector("a.data");
  if (data) data.href = withChoices(data.href, chosen);
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
  for (const choice of script ? figure.querySelectorAll(".switch") : []) {
    choice.hidden = false;
    choice.addEventListener("change", () => load(figure));
  }
  const pointed = figure.querySelector(".pointed");
  pointed?.addEventListener("click", ({ target }) => {
    const by = target.closest("button")?.dataset.step;
    if (by) step(figure, Number(by));
  });
  pointed?.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) event.preventDefault(), step(figure, by);
  });
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
