// SPDX-License-Identifier: Apache-2.0
//
// view-overview.js -- a queue's own figures: charts, its datasets with progress and ETA, its rules.

import { call } from "./api.js";
import { ChartSet } from "./charts.js";
import { data, empty, facts, h, setText, tiles } from "./dom.js";
import { compact, count, duration, lasting, NONE, num, percent, rate, time, word }
  from "./format.js";
import { historyOf, sampleOf } from "./history.js";
import { DEPTH, RATES, showStates, STATE_TILES, WAIT, wasteOf, WORK } from "./queue-charts.js";
import { Table } from "./table.js";

const COUNTERS = ["Deliveries", "Failures", "Preemptions", "Losses", "Salvaged", "Sessions",
  "Waiting workers", "Made"];
const RULES = ["Lease", "Failures until dead", "Losses until dead", "Backoff", "Dedup",
  "Results kept", "Task TTL", "Leased at once", "Late results"];

export function overviewTab(context, name) {
  const history = historyOf(name);
  const states = tiles(STATE_TILES);
  const charts = new ChartSet([DEPTH, RATES, WAIT, WORK]);
  const counters = facts(COUNTERS);
  const rules = facts(RULES);
  const datasets = new Table({
    label: "Datasets", columns: COLUMNS, key: (dataset) => dataset.name ?? "",
    filter: (dataset) => dataset.name ?? "",
    empty: empty("No datasets yet", "Nothing has been published to this queue:",
      `ackctl publish ${name} dataset.jsonl`),
  });

  return {
    element: h("div", {}, states.element, charts.element,
      h("h2", {}, "Datasets"), datasets.element,
      h("h2", {}, "Counters"), counters.element, h("h2", {}, "Rules"), rules.element),
    started: () => charts.start(),
    stopped: () => charts.stop(),
    async round(signal, queue) {
      const reply = await call("DatasetService/List", { queue: name }, signal);
      const now = Date.now();
      history.push(sampleOf(queue), now);
      showStates(states, sampleOf(queue), history);
      charts.show(history, now);
      datasets.show(reply.datasets ?? []);
      showCounters(counters, queue);
      showRules(rules, queue.config);
    },
  };
}

function totalOf({ counts = {} }) {
  return num(counts.published) - num(counts.purged);
}

function shareDone(dataset) {
  const total = totalOf(dataset);
  return total <= 0 ? 0 : Math.min(1, num(dataset.counts?.done) / total);
}

function etaOf({ counts = {}, etaMs }) {
  if (num(counts.ready) + num(counts.delayed) + num(counts.leased) === 0) return "finished";
  return num(etaMs) < 0 ? NONE : duration(num(etaMs));
}

const COLUMNS = [
  { title: "Dataset", wide: true, value: (dataset) => dataset.name ?? "",
    node: ({ name }) => (name ? data(name, { title: name }) : h("i", {}, "without a name")) },
  { title: "Progress", value: shareDone,
    node: () => h("span", { class: "progress" }, h("progress", { max: "1" }), h("span", {})),
    refresh: (element, dataset) => {
      const [bar, text] = element.children;
      const share = shareDone(dataset);
      if (bar.value !== share) bar.value = share;
      bar.setAttribute("aria-label", `${dataset.name ?? "Without a name"}: done`);
      setText(text, percent(share < 1 ? Math.floor(share * 1000) / 1000 : 1));
    } },
  { title: "Done", number: true, minor: true, value: (dataset) => num(dataset.counts?.done),
    cell: (dataset) => `${count(dataset.counts?.done)} / ${count(totalOf(dataset))}` },
  { title: "Dead", number: true, minor: true, value: (dataset) => num(dataset.counts?.dead),
    cell: (dataset) => compact(num(dataset.counts?.dead)) },
  { title: "Rate", number: true, minor: true, hint: "Done a second, over the last minute",
    value: (dataset) => num(dataset.donePerS), cell: (dataset) => rate(num(dataset.donePerS)) },
  { title: "ETA", number: true, value: (dataset) => num(dataset.etaMs), cell: etaOf },
  { title: "Wasted", number: true, minor: true, value: wasteOf,
    hint: "Share of the lease time that ended in no ack",
    cell: (dataset) => percent(wasteOf(dataset)) },
  { title: "First published", minor: true, value: (dataset) => num(dataset.firstPublishedUnixMs),
    cell: (dataset) => time(dataset.firstPublishedUnixMs) },
  { title: "Last done", minor: true, value: (dataset) => num(dataset.lastDoneUnixMs),
    cell: (dataset) => time(dataset.lastDoneUnixMs) },
];

function showCounters(place, queue) {
  for (const name of ["deliveries", "failures", "preemptions", "losses", "salvaged", "sessions"]) {
    place.set(name[0].toUpperCase() + name.slice(1), count(queue[name]));
  }
  place.set("Waiting workers", count(queue.waiters));
  place.set("Made", time(queue.createdUnixMs));
}

function showRules(place, config) {
  const orNone = (ms, none) => (num(ms) === 0 ? none : lasting(num(ms)));

  place.set("Lease", lasting(num(config.leaseMs)));
  place.set("Failures until dead", count(config.maxFailures));
  place.set("Losses until dead", count(config.maxLosses));
  place.set("Backoff", `${lasting(num(config.backoffMinMs))} to ${
    lasting(num(config.backoffMaxMs))}`);
  place.set("Dedup", config.dedup
    ? `for ${lasting(num(config.dedupRetentionMs))} after done` : "off");
  place.set("Results kept", orNone(config.resultRetentionMs, "until the queue is deleted"));
  place.set("Task TTL", orNone(config.taskTtlMs, "none"));
  place.set("Leased at once", num(config.maxLeased) === 0 ? "no cap" : count(config.maxLeased));
  place.set("Late results", word(config.lateResults, "LATE_RESULTS_"));
}
