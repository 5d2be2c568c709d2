// SPDX-License-Identifier: Apache-2.0
//
// view-broker.js -- the broker itself and its shards.

import { call } from "./api.js";
import { empty, facts, h } from "./dom.js";
import { bytes, compact, count, duration, num, percent, time } from "./format.js";
import { Table } from "./table.js";

const FACTS = ["Version", "Up since", "Up for", "Clock ahead of yours", "Connections", "Requests",
  "Refused"];

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
  number("Batch", (shard) => num(shard.commands) / Math.max(1, num(shard.commits)),
    { minor: true, hint: "Calls a commit, on average" }),
  { title: "On disk", number: true, minor: true, value: (shard) => num(shard.fileBytes),
    cell: (shard) => bytes(shard.fileBytes) },
  { title: "Used", number: true, value: (shard) => num(shard.usedBytes) / num(shard.mapBytes),
    hint: "Of the most that the store may grow to",
    cell: (shard) => `${bytes(shard.usedBytes)} (${
      percent(num(shard.usedBytes) / Math.max(1, num(shard.mapBytes)))})` },
];

export function brokerView() {
  const figures = facts(FACTS);
  const table = new Table({ label: "Shards", columns: COLUMNS, key: (shard) => num(shard.shard),
    empty: empty("No shards") });

  return {
    title: "Broker",
    element: h("section", {}, h("h1", {}, "Broker"), figures.element, h("h2", {}, "Shards"),
      table.element,
      h("p", { class: "muted" }, "For machines: ", h("a", { href: "metrics" }, "metrics"), ", ",
        h("a", { href: "api" }, "methods"), ".")),
    async round(signal) {
      const stats = await call("AdminService/Stats", {}, signal);
      const ahead = num(stats.nowUnixMs) - Date.now();
      figures.set("Version", stats.version);
      figures.set("Up since", time(stats.startedUnixMs));
      figures.set("Up for", duration(num(stats.nowUnixMs) - num(stats.startedUnixMs)));
      figures.set("Clock ahead of yours", Math.abs(ahead) < 1000 ? "under 1 s"
        : `${ahead < 0 ? "-" : ""}${duration(Math.abs(ahead))}`);
      figures.set("Connections", count(stats.connections));
      figures.set("Requests", count(stats.requests));
      figures.set("Refused", count(stats.refused));
      table.show(stats.shards ?? []);
    },
  };
}
