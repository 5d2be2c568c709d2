// SPDX-License-Identifier: Apache-2.0
//
// view-queues.js -- all queues: the sums, three charts, and a table.

import { call, callPages } from "./api.js";
import { LineChart } from "./charts.js";
import { empty, facts, h, link, setText } from "./dom.js";
import { bytes, compact, count, duration, num, percent, rate } from "./format.js";
import { historyOf, record, sampleOf, sum } from "./history.js";
import { Table } from "./table.js";

const QUEUES_MAX = 20000;

export function stateCharts() {
  const depth = new LineChart({ title: "Depth", hint: "tasks by state", stacked: true, atLeast: 10,
    lines: [["leased", "leased"], ["ready", "ready"], ["delayed", "delayed"], ["dead", "dead"]] });
  const rates = new LineChart({ title: "Rates", hint: "tasks a second", format: rate,
    lines: [["published", "ready"], ["acked", "done"], ["failed or lost", "dead"]] });
  const latency = new LineChart({ title: "Latency", hint: "lease to ack, mean", format: duration,
    atLeast: 100, sparse: true,
    lines: [["lease to ack", "leased"]] });
  const all = [depth, rates, latency];
  return {
    element: h("div", { class: "charts" }, all.map((chart) => chart.element)),
    start: () => all.forEach((chart) => chart.start()),
    stop: () => all.forEach((chart) => chart.stop()),
    show(history, now) {
      // In the order of its lines: what is worked on lies at the bottom.
      depth.show(history.gauges().map(({ values: [ready, delayed, leased, dead], ...rest }) => (
        { ...rest, values: [leased, ready, delayed, dead] })), now);
      rates.show(history.rates(), now);
      latency.show(history.leaseTimes(), now);
    },
  };
}

export function wasteOf(queue) {
  const wasted = num(queue.wastedLeaseMs);
  const all = wasted + num(queue.usefulLeaseMs);
  return all === 0 ? 0 : wasted / all;
}

export function tiles(names) {
  const values = new Map(names.map(([name, colour]) => (
    [name, h("dd", { class: colour && `c-${colour}` })])));
  return {
    element: h("dl", { class: "tiles" },
      names.map(([name]) => h("div", {}, h("dt", {}, name), values.get(name)))),
    set: (name, text) => setText(values.get(name), text),
  };
}

export const STATE_TILES = [["Ready", "ready"], ["Leased", "leased"], ["Delayed", "delayed"],
  ["Dead", "dead"], ["Done", "done"], ["Published", null], ["Acked", null], ["Wasted", null]];

export function showStates(place, queueSums, history) {
  for (const name of ["ready", "leased", "delayed", "dead", "done"]) {
    place.set(name[0].toUpperCase() + name.slice(1), count(queueSums[name]));
  }
  place.set("Published", rate(history.rate("published")));
  place.set("Acked", rate(history.rate("done")));
  const leaseMs = queueSums.usefulMs + queueSums.wastedMs;
  place.set("Wasted", percent(leaseMs === 0 ? 0 : queueSums.wastedMs / leaseMs));
}

const number = (title, value, extra = {}) => (
  { title, number: true, value, cell: (queue) => compact(value(queue)), ...extra });

const COLUMNS = [
  { title: "Queue", wide: true, value: (queue) => queue.name,
    node: (queue) => h("span", {}, link(queue.name, "queues", queue.name),
      h("span", { class: "chip" })),
    refresh: (element, queue) => {
      element.lastChild.hidden = !queue.paused;
      setText(element.lastChild, "paused");
    } },
  number("Ready", (queue) => num(queue.counts?.ready)),
  number("Leased", (queue) => num(queue.counts?.leased)),
  number("Delayed", (queue) => num(queue.counts?.delayed), { minor: true }),
  number("Dead", (queue) => num(queue.counts?.dead)),
  number("Done", (queue) => num(queue.counts?.done), { minor: true }),
  { title: "Acked", number: true, minor: true, hint: "Tasks a second, lately",
    value: (queue) => historyOf(queue.name).rate("done") ?? 0,
    cell: (queue) => rate(historyOf(queue.name).rate("done")) },
  { title: "Wasted", number: true, minor: true, value: wasteOf,
    hint: "Share of the lease time that ended in no ack",
    cell: (queue) => percent(wasteOf(queue)) },
  number("Sessions", (queue) => num(queue.sessions), { minor: true }),
  number("Waiting", (queue) => num(queue.waiters), { minor: true,
    hint: "Workers that wait for a task" }),
];

export function queuesView() {
  const states = tiles(STATE_TILES);
  const charts = stateCharts();
  const store = facts(["Sessions", "Live leases", "Store"]);
  const total = historyOf("");
  const table = new Table({
    label: "Queues", columns: COLUMNS, key: (queue) => queue.name, sort: "Queue",
    filter: (queue) => queue.name,
    empty: empty("No queues yet", "Publish a dataset, and its queue is made:",
      "ackctl publish QUEUE dataset.jsonl --create"),
  });

  return {
    title: "Queues",
    element: h("section", {}, h("h1", { class: "unseen" }, "Queues"), states.element,
      charts.element, table.element, store.element),
    started: () => charts.start(),
    stopped: () => charts.stop(),
    async round(signal) {
      const [{ items: queues }, stats] = await Promise.all([
        callPages("QueueService/List", {}, "queues", QUEUES_MAX, signal),
        call("AdminService/Stats", {}, signal).catch(unlessDenied),
      ]);
      const now = Date.now();
      record(queues, now);
      const sums = sum(queues.map(sampleOf));
      total.push(sums, now);
      showStates(states, sums, total);
      charts.show(total, now);
      table.show(queues);
      showStore(store, stats);
    },
  };
}

// What only an administrator may see is left out for others.
export function unlessDenied(error) {
  if (error.code === "permission_denied") return null;
  throw error;
}

function showStore(place, stats) {
  const shards = stats?.shards ?? [];
  const add = (field) => shards.reduce((so_far, shard) => so_far + num(shard[field]), 0);
  place.element.hidden = stats === null;
  place.set("Sessions", count(add("sessions")));
  place.set("Live leases", count(add("leases")));
  place.set("Store", `${bytes(add("usedBytes"))} of ${bytes(add("mapBytes"))}`);
}
