// SPDX-License-Identifier: Apache-2.0
//
// charts.js -- lines over the last minutes, by Chart.js (the global `Chart`), in the colours of
// style.css. A canvas says nothing to who can't see it: the legend beside it has the last values.

import { h, setText } from "./dom.js";
import { compact, NONE } from "./format.js";

const WINDOWS_MIN = [2, 5, 10]; // the smallest that shows all there is
const SPANNED_MIN = 1;
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
// values come now and then, each is a point, and lines lead over a minute without one.
export class LineChart {
  constructor({ title, hint, lines, stacked = false, format = compact, atLeast = 1,
    sparse = false }) {
    this.lines = lines;
    this.stacked = stacked;
    this.format = format;
    this.atLeast = atLeast;
    this.sparse = sparse;
    this.values = lines.map(() => h("b", {}, NONE));
    this.canvas = h("canvas", { role: "img", "aria-label": `${title}: ${hint}` });
    this.element = h("figure", { class: "chart" },
      h("figcaption", {}, h("span", { class: "chart-title" }, title),
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
    this.lines.forEach((_, i) => {
      this.chart.data.datasets[i].data = points.map(({ at, values }) => (
        { x: (at - now) / 60000, y: values ? values[i] : NaN }));
      const last = series.findLast(({ values }) => values);
      setText(this.values[i], last ? this.format(last.values[i]) : NONE);
    });
    const spanMin = points.length === 0 ? 0 : (now - points[0].at) / 60000;
    const shownMin = WINDOWS_MIN.find((size) => size >= spanMin) ?? WINDOWS_MIN.at(-1);
    this.chart.options.scales.x.min = -shownMin;
    this.chart.update("none");
  }

  paint() {
    const grid = colour("grid");
    const text = colour("muted");
    this.chart.data.datasets = this.lines.map(([label, name], i) => ({
      label, data: this.chart.data.datasets[i]?.data ?? [], borderColor: colour(name),
      backgroundColor: translucent(colour(name)), fill: this.stacked ? "stack" : false,
      borderWidth: 1.5, pointRadius: this.sparse ? 2 : 0, pointHitRadius: 8, tension: 0,
      spanGaps: this.sparse ? SPANNED_MIN : false,
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
          title: ([item]) => `${Math.round(-item.parsed.x * 60)} s ago`,
          label: (item) => `${item.dataset.label}: ${this.format(item.parsed.y)}`,
        } },
      },
      scales: {
        x: { type: "linear", min: -WINDOWS_MIN[0], max: 0, grid: { drawBorder: false },
          ticks: { maxTicksLimit: 6, maxRotation: 0,
            callback: (minutes) => (minutes === 0 ? "now" : `${minutes} m`) } },
        y: { beginAtZero: true, stacked: this.stacked, suggestedMax: this.atLeast,
          grid: { drawBorder: false },
          ticks: { maxTicksLimit: 5, callback: (value) => this.format(value) } },
      },
    };
  }
}
