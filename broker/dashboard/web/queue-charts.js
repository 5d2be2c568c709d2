// SPDX-License-Identifier: Apache-2.0
//
// queue-charts.js -- what is drawn and told of a queue, or of all together: depth, rates, latency.

import { count, num, percent, rate } from "./format.js";

// In the order of its lines: what is worked on lies at the bottom.
export const DEPTH = [
  { title: "Depth", hint: "tasks by state", stacked: true, atLeast: 10,
    lines: [["leased", "leased"], ["ready", "ready"], ["delayed", "delayed"], ["dead", "dead"]] },
  (history) => history.gauges(["leased", "ready", "delayed", "dead"])];

export const RATES = [
  { title: "Rates", hint: "tasks a second", format: rate,
    lines: [["published", "ready"], ["acked", "done"], ["failed or lost", "dead"]] },
  (history) => history.rates(["published", "done", "returned"])];

export const WAIT = [
  { title: "Latency to lease", hint: "oldest ready task", times: true,
    lines: [["waits", "ready"]] },
  (history) => history.waits()];

export const WORK = [
  { title: "Latency to ack", hint: "since the lease", times: true, sparse: true,
    lines: [["acked, mean", "done"], ["oldest lease", "leased"]] },
  (history) => history.works()];

export function wasteOf(queue) {
  const wasted = num(queue.wastedLeaseMs);
  const all = wasted + num(queue.usefulLeaseMs);
  return all === 0 ? 0 : wasted / all;
}

export const STATE_TILES = [["Ready", "ready"], ["Leased", "leased"], ["Delayed", "delayed"],
  ["Dead", "dead"], ["Done", "done"], ["Published", null], ["Acked", null], ["Wasted", null]];

export function showStates(place, sums, history) {
  for (const name of ["ready", "leased", "delayed", "dead", "done"]) {
    place.set(name[0].toUpperCase() + name.slice(1), count(sums[name]));
  }
  place.set("Published", rate(history.rate("published")));
  place.set("Acked", rate(history.rate("done")));
  const leaseMs = sums.usefulMs + sums.wastedMs;
  place.set("Wasted", percent(leaseMs === 0 ? 0 : sums.wastedMs / leaseMs));
}
