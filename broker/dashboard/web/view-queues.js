// SPDX-License-Identifier: Apache-2.0
//
// view-queues.js -- all queues: the sums, charts, and a table.

import { call, callPages } from "./api.js";
import { may } from "./caller.js";
import { ChartSet } from "./charts.js";
import { empty, h, link, setText, tiles } from "./dom.js";
import { compact, count, duration, NONE, num, percent, rate } from "./format.js";
import { historyOf, record, sampleOf, sum } from "./history.js";
import { DEPTH, RATES, showStates, STATE_TILES, wasteOf, WORK } from "./queue-charts.js";
import { statsHistory, totalsOf } from "./stats.js";
import { Table } from "./table.js";
import { COMMITS } from "./view-broker.js";

const QUEUES_MAX = 2000;

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
  { title: "Oldest lease", number: true, minor: true, hint: "How long it has been held",
    value: (queue) => num(queue.oldestLeaseMs),
    cell: (queue) => (num(queue.oldestLeaseMs) > 0 ? duration(num(queue.oldestLeaseMs)) : NONE) },
  number("Sessions", (queue) => num(queue.sessions), { minor: true }),
  number("Waiting", (queue) => num(queue.waiters), { minor: true,
    hint: "Workers that wait for a task" }),
];

export function queuesView() {
  const states = tiles(STATE_TILES);
  const charts = new ChartSet([DEPTH, RATES, WORK, COMMITS]);
  const says = h("p", { class: "says" });
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
      charts.element, says, table.element),
    started: () => charts.start(),
    stopped: () => charts.stop(),
    async round(signal) {
      const [{ items: queues, complete }, stats] = await Promise.all([
        askQueues("", signal), may("read") ? call("AdminService/Stats", {}, signal) : null,
      ]);
      const wanted = complete ? "" : table.wanted;
      const shown = wanted === "" ? queues : (await askQueues(wanted, signal)).items;
      const now = Date.now();
      record(queues, now);
      if (stats) statsHistory.push(totalsOf(stats), now);
      const sums = sum(queues.map(sampleOf));
      total.push(sums, now);
      showStates(states, sums, total);
      charts.element.lastChild.hidden = stats === null;
      charts.show(total, now);
      setText(says, complete ? "" : `The first ${count(queues.length)} queues${
        stats ? ` of ${count(totalsOf(stats).queues)}` : ""}, and their sums. The filter finds ` +
        "the others.");
      table.show(shown);
    },
  };
}

function askQueues(contains, signal) {
  return callPages("QueueService/List", { contains }, "queues", QUEUES_MAX, signal);
}
