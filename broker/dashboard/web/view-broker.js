// SPDX-License-Identifier: Apache-2.0
//
// view-broker.js -- the broker itself: what it answers and refuses, how long its commits take, and
// its shards.

import { call } from "./api.js";
import { ChartSet } from "./charts.js";
import { empty, facts, h, tiles } from "./dom.js";
import { bytes, compact, count, duration, num, percent, rate, time } from "./format.js";
import { histogramOf, meanOf, reasonOf, statsHistory, totalsOf } from "./stats.js";
import { Table } from "./table.js";

const REQUESTS = [
  { title: "Requests", hint: "a second", format: rate,
    lines: [["answered", "ready"], ["refused", "dead"]] },
  () => statsHistory.rates(["requests", "refused"])];

export const COMMITS = [
  { title: "Commit latency", hint: "writing and fsync", times: true, sparse: true,
    lines: [["p50", "done"], ["p99", "delayed"], ["whole batch, p99", "dead"]] },
  () => statsHistory.commits()];

const BATCHES = [
  { title: "Batch size", hint: "calls that share a commit", sparse: true,
    lines: [["mean", "leased"], ["p99", "delayed"]] },
  () => statsHistory.batches()];

const STORE = [
  { title: "Store", hint: "live bytes", format: bytes, binary: true, lines: [["used", "leased"]] },
  () => statsHistory.used()];

const TILES = [["Requests", null], ["Refused", null], ["Commits", null], ["Connections", null],
  ["Queues", null], ["Sessions", null], ["Leases", null], ["Store used", null]];
const FACTS = ["Version", "Up since", "Up for", "Clock ahead of yours", "Store used",
  "Publish until", "Requests", "Refused"];

const number = (title, value, extra = {}) => (
  { title, number: true, value, cell: (shard) => compact(value(shard)), ...extra });

const COLUMNS = [
  { title: "Shard", value: (shard) => num(shard.shard), cell: (shard) => String(num(shard.shard)) },
  { title: "Store", minor: true, value: (shard) => shard.store, cell: (shard) => shard.store },
  number("Queues", (shard) => num(shard.queues)),
  number("Sessions", (shard) => num(shard.sessions), { minor: true }),
  number("Leases", (shard) => num(shard.leases)),
  number("Waiting", (shard) => num(shard.waiters), { minor: true }),
  number("Commits", (shard) => num(shard.commits), { minor: true }),
  number("Batch", (shard) => meanOf(histogramOf(shard.batchCommands)) || 0,
    { minor: true, hint: "Calls that shared a commit, on average" }),
  { title: "On disk", number: true, minor: true, value: (shard) => num(shard.fileBytes),
    cell: (shard) => bytes(shard.fileBytes) },
  { title: "Used", number: true, value: (shard) => num(shard.usedBytes) / num(shard.mapBytes),
    hint: "Of the most that the store may grow to",
    cell: (shard) => `${bytes(shard.usedBytes)} (${
      percent(num(shard.usedBytes) / Math.max(1, num(shard.mapBytes)))})` },
];

const REFUSALS = [
  { title: "Reason", value: (refusals) => reasonOf(refusals.status),
    cell: (refusals) => reasonOf(refusals.status) },
  { title: "Count", number: true, hint: "Since the broker started",
    value: (refusals) => num(refusals.count), cell: (refusals) => count(refusals.count) },
  { title: "Lately", number: true, value: (refusals) => statsHistory.rate(refusals.status) ?? 0,
    cell: (refusals) => rate(statsHistory.rate(refusals.status)) },
];

export function brokerView() {
  const figures = tiles(TILES);
  const charts = new ChartSet([REQUESTS, COMMITS, BATCHES, STORE]);
  const about = facts(FACTS);
  const shards = new Table({ label: "Shards", columns: COLUMNS, key: (shard) => num(shard.shard),
    empty: empty("No shards") });
  const refusals = new Table({ label: "Refusals", columns: REFUSALS, sort: "Count",
    descending: true, key: ({ status }) => status,
    empty: empty("Nothing was refused", "Every request since the start was carried out.") });

  return {
    title: "Broker",
    element: h("section", {}, h("h1", {}, "Broker"), figures.element, charts.element,
      about.element, h("h2", {}, "Shards"), shards.element, h("h2", {}, "Refusals"),
      refusals.element,
      h("p", { class: "muted" }, "For machines: ", h("a", { href: "metrics" }, "metrics"), ", ",
        h("a", { href: "api" }, "methods"), ".")),
    started: () => charts.start(),
    stopped: () => charts.stop(),
    async round(signal) {
      const stats = await call("AdminService/Stats", {}, signal);
      const totals = totalsOf(stats);
      const now = Date.now();
      statsHistory.push(totals, now);
      showTiles(figures, stats, totals);
      charts.show(statsHistory, now);
      showAbout(about, stats, totals);
      shards.show(stats.shards ?? []);
      refusals.show(stats.refusals ?? []);
    },
  };
}

function showTiles(place, stats, totals) {
  place.set("Requests", rate(statsHistory.rate("requests")));
  place.set("Refused", rate(statsHistory.rate("refused")));
  place.set("Commits", rate(statsHistory.rate("commits")));
  place.set("Queues", count(totals.queues));
  place.set("Sessions", count(totals.sessions));
  place.set("Leases", count(totals.leases));
  place.set("Connections", count(stats.connections));
  place.set("Store used", percent(totals.usedBytes / Math.max(1, totals.mapBytes)));
}

function showAbout(place, stats, totals) {
  const ahead = num(stats.nowUnixMs) - Date.now();

  place.set("Version", stats.version);
  place.set("Up since", time(stats.startedUnixMs));
  place.set("Up for", duration(num(stats.nowUnixMs) - num(stats.startedUnixMs)));
  place.set("Clock ahead of yours", Math.abs(ahead) < 1000 ? "under 1 s"
    : `${ahead < 0 ? "-" : ""}${duration(Math.abs(ahead))}`);
  place.set("Store used", `${bytes(totals.usedBytes)} of ${bytes(totals.mapBytes)}`);
  place.set("Publish until", bytes(totals.limitBytes));
  place.set("Requests", count(totals.requests));
  place.set("Refused", count(totals.refused));
}
