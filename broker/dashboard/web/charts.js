// SPDX-License-Identifier: Apache-2.0
//
// charts.js -- lines over the last minutes, by Chart.js (the global `Chart`), in the colours of
// style.css. A canvas says nothing to who can't see it: the legend below it has the last values.

import { h, setText } from "./dom.js";
import { compact, duration, lasting, NONE } from "./format.js";

const WINDOWS_MIN = [2, 4, 10]; // the smallest that shows all there is
const SPANNED_MIN = 1;
const MANY = 60;
// Where a logarithmic axis of times may begin, end, and have a line, in ms.
const TIMES_MS = [0.01, 0.1, 1, 10, 100, 1000, 10_000, 60_000, 600_000, 3_600_000, 36_000_000,
  86_400_000, 864_000_000, 8_640_000_000, 86_400_000_000];
const Chart = globalThis.Chart;

// What a colour of style.css is in the theme of the moment.
function colour(name) {
  const probe = h("span", { class: `c-${name}`, hidden: true });
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function translucent(value) {
  return value.replace("rgb(", "rgba(").replace(")", ", 0.16)");
}

const charts = new Set();
document.addEventListener("theme", () => charts.forEach((chart) => chart.paint()));

// `lines` are [label, colour of style.css]; `atLeast`: the least that the axis ends at; `sparse`:
// values come now and then, each is a point, and lines lead over a minute without one. `times`:
// values are in ms, on a logarithmic axis: they differ by orders of magnitude. `binary`: the axis
// has lines at powers of two.
class LineChart {
  constructor({ title, hint, lines, stacked = false, format = compact, atLeast = 1,
    sparse = false, times = false, binary = false }) {
    Object.assign(this, { lines, stacked, atLeast, sparse, times, binary });
    this.format = times ? duration : format;
    this.values = lines.map(() => h("b", {}, NONE));
    this.canvas = h("canvas", { role: "img", "aria-label": `${title}: ${hint}` });
    this.element = h("figure", { class: "chart" },
      h("figcaption", {}, h("span", { class: "chart-title" }, title), " ",
        h("span", { class: "chart-hint" }, hint)),
      h("div", { class: "chart-canvas" }, this.canvas),
      h("ul", { class: "legend" }, lines.map(([label, name], i) =>
        h("li", {}, h("span", { class: `swatch c-${name}` }), label, " ", this.values[i]))));
  }

  // Needs the element in the page.
  start() {
    this.chart = new Chart(this.canvas, { type: "line", data: { datasets: [] },
      options: this.#options() });
    this.paint();
    charts.add(this);
  }

  stop() {
    charts.delete(this);
    this.chart.destroy();
  }

  // `series` as History gives it.
  show(series, now) {
    const points = series.flatMap(({ at, gap, values }) => (
      gap ? [{ at: at - 1, values: null }, { at, values }] : [{ at, values }]));
    const range = this.times ? timesAround(series) : null;
    this.lines.forEach((_, i) => {
      this.chart.data.datasets[i].data = points.map(({ at, values }) => (
        { x: (at - now) / 60000, y: placeOf(values, i, range) }));
      const last = series.findLast(({ values }) => values && !Number.isNaN(values[i]));
      setText(this.values[i], last ? this.format(last.values[i]) : NONE);
    });
    const spanMin = points.length === 0 ? 0 : (now - points[0].at) / 60000;
    const { x, y } = this.chart.options.scales;
    x.min = -(WINDOWS_MIN.find((size) => size >= spanMin) ?? WINDOWS_MIN.at(-1));
    if (range) [y.min, y.max] = range;
    if (this.binary) y.ticks.stepSize = powerAbove(mostOf(series) / 4);
    this.chart.update("none");
  }

  paint() {
    const grid = colour("grid");
    const text = colour("muted");
    this.chart.data.datasets = this.lines.map(([label, name], i) => ({
      label, data: this.chart.data.datasets[i]?.data ?? [], borderColor: colour(name),
      backgroundColor: translucent(colour(name)), fill: this.stacked ? "stack" : false,
      borderWidth: 1.5, pointRadius: this.sparse ? pointEach : pointAtEnd, pointHitRadius: 8, tension: 0,
      pointBackgroundColor: colour(name), clip: 4, spanGaps: this.sparse ? SPANNED_MIN : false,
    }));
    for (const scale of Object.values(this.chart.options.scales)) {
      scale.grid.color = grid;
      scale.ticks.color = text;
    }
    this.chart.update("none");
  }

  #options() {
    return {
      animation: false, responsive: true, maintainAspectRatio: false, parsing: false,
      interaction: { mode: "index", intersect: false },
      plugins: {
        legend: { display: false },
        tooltip: { callbacks: {
          title: ([item]) => (item ? `${lasting(Math.round(-item.parsed.x * 60) * 1000)} ago` : ""),
          label: (item) => `${item.dataset.label}: ${this.format(item.parsed.y)}`,
        } },
      },
      scales: {
        x: { type: "linear", min: -WINDOWS_MIN[0], max: 0, grid: { drawBorder: false },
          ticks: { maxTicksLimit: 4, maxRotation: 0,
            callback: (minutes) => (minutes === 0 ? "now" : `-${lasting(-minutes * 60000)}`) } },
        y: this.times ? this.#timesAxis() : { beginAtZero: true, stacked: this.stacked,
          suggestedMax: this.atLeast, grid: { drawBorder: false },
          ticks: { maxTicksLimit: 5, callback: (value) => this.format(value) } },
      },
    };
  }

  #timesAxis() {
    return { type: "logarithmic", grid: { drawBorder: false },
      afterBuildTicks: (axis) => {
        axis.ticks = TIMES_MS.filter((ms) => ms >= axis.min && ms <= axis.max)
          .map((value) => ({ value }));
      },
      ticks: { callback: (ms) => lasting(ms) } };
  }
}

// Each value is a point, but many are no string of pearls.
function pointEach({ dataset }) {
  return dataset.data.length > MANY ? 1 : 2;
}

// The newest value is a point: a single one would be no line.
function pointAtEnd({ dataIndex, dataset }) {
  return dataIndex === dataset.data.length - 1 ? 2 : 0;
}

function mostOf(series) {
  return Math.max(1, ...series.flatMap(({ values }) => values ?? []));
}

function powerAbove(value) {
  return 2 ** Math.ceil(Math.log2(value));
}

// Where the axis begins and ends so that all times lie between, a decade at least.
function timesAround(series) {
  const all = series.flatMap(({ values }) => values ?? []).filter((ms) => ms > 0);
  if (all.length === 0) return [1, 1000];
  const most = Math.max(...all);
  const low = TIMES_MS.findLast((ms) => ms <= Math.min(...all)) ?? TIMES_MS[0];
  const high = TIMES_MS.find((ms) => ms >= most && ms > low) ?? TIMES_MS.at(-1);
  return [low, high];
}

// On a logarithmic axis 0 lies at its begin.
function placeOf(values, i, range) {
  if (!values) return NaN;
  return range ? Math.max(values[i], range[0]) : values[i];
}

// Charts of one history: [[what LineChart takes, (history) -> series], ...]
export class ChartSet {
  constructor(parts) {
    this.charts = parts.map(([options]) => new LineChart(options));
    this.series = parts.map(([, series]) => series);
    this.element = h("div", { class: "charts" }, this.charts.map((chart) => chart.element));
  }

  // Needs the element in the page.
  start() {
    this.charts.forEach((chart) => chart.start());
  }

  stop() {
    this.charts.forEach((chart) => chart.stop());
  }

  show(history, now) {
    this.charts.forEach((chart, i) => chart.show(this.series[i](history), now));
  }
}
