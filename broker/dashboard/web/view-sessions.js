// SPDX-License-Identifier: Apache-2.0
//
// view-sessions.js -- the workers: one row a session, of all queues or of one.

import { brokerNow, call } from "./api.js";
import { data, empty, h, link, setText } from "./dom.js";
import { compact, count, duration, NONE, num, plural } from "./format.js";
import { Table } from "./table.js";
import { askLeases, stuckChoice } from "./view-leases.js";

const LATE_SHARE = 0.6; // a heartbeat comes every third of a session's life
const SESSIONS_MAX = 10_000; // the broker tells no more

const NOBODY = () => empty("No sessions", "No worker is connected. A worker opens one by itself:",
  "ackctl work QUEUE -- COMMAND");

const BASE = [
  { title: "Worker", wide: true, value: (session) => session.worker ?? "",
    node: (session) => h("span", {}, h("bdi", { class: "data", title: session.worker },
      session.worker || "unnamed"), h("span", { class: "chip bad" }, "late")),
    refresh: (element, session) => {
      element.lastChild.hidden = !isLate(session);
    } },
  { title: "Pod", wide: true, minor: true, value: (session) => session.pod ?? "",
    node: ({ pod, podNamespace }) => where(pod, podNamespace && `${podNamespace}/${pod}`) },
  { title: "Node", wide: true, minor: true, value: (session) => session.node ?? "",
    node: (session) => where(session.node) },
  { title: "Leased", number: true, value: (session) => num(session.leased),
    cell: (session) => compact(num(session.leased)) },
  { title: "Acked", number: true, minor: true, hint: "Since the broker started",
    value: (session) => num(session.acked), cell: (session) => compact(num(session.acked)) },
  { title: "Heartbeat", number: true, minor: true, value: silenceOf, hint: "How long ago",
    cell: (session) => duration(silenceOf(session)) },
  { title: "Open for", number: true, minor: true, value: (session) => -num(session.openedUnixMs),
    cell: (session) => duration(brokerNow() - num(session.openedUnixMs)) },
  { title: "Session", minor: true, value: (session) => session.sessionId,
    cell: (session) => session.sessionId },
];

function where(name, full = name) {
  return name ? data(name, { title: full }) : NONE;
}

const QUEUE = { title: "Queue", wide: true, value: (session) => session.queue,
  node: (session) => link(session.queue, "queues", session.queue, "sessions") };

const HELD = [
  { title: "Oldest lease", number: true, value: (session) => session.oldestMs,
    cell: (session) => (session.oldestMs < 0 ? NONE : duration(session.oldestMs)) },
  { title: "Stuck", number: true, value: (session) => session.stuck,
    cell: (session) => count(session.stuck) },
];

function silenceOf(session) {
  return Math.max(0, brokerNow() - num(session.heartbeatUnixMs));
}

function isLate(session) {
  return silenceOf(session) >= num(session.sessionMs) * LATE_SHARE;
}

function tableOf(columns) {
  return new Table({ label: "Sessions", columns, sort: "Worker", empty: NOBODY(),
    key: (session) => session.sessionId + session.queue,
    filter: ({ worker, pod, podNamespace, node, queue, sessionId }) => (
      [worker, pod, podNamespace, node, queue, sessionId].join(" ")) });
}

export function sessionsView() {
  const table = tableOf([BASE[0], QUEUE, ...BASE.slice(1)]);
  const says = h("p", { class: "says" });

  return {
    title: "Sessions",
    element: h("section", {}, h("h1", {}, "Sessions"), says, table.element),
    async round(signal) {
      const { sessions = [] } = await call("SessionService/List", {}, signal);
      setText(says, saysOf(sessions));
      table.show(sessions);
    },
  };
}

function saysOf(sessions) {
  if (sessions.length === 0) return "";
  const leased = sessions.reduce((sum, session) => sum + num(session.leased), 0);
  const late = sessions.filter(isLate).length;
  const nodes = new Set(sessions.map(({ node }) => node).filter(Boolean)).size;
  const first = sessions.length < SESSIONS_MAX ? "" : "The first ";
  return `${first}${plural(sessions.length, "session")}${nodes > 0 ? ` on ${plural(nodes, "node")}`
    : ""}, holding ${plural(leased, "lease")}; ${count(late)} late with their heartbeat.`;
}

export function queueSessionsTab(context, name) {
  const says = h("p", { class: "says" });
  const table = tableOf([...BASE.slice(0, 4), ...HELD, ...BASE.slice(4)]);

  return {
    element: h("div", {}, h("div", { class: "tools" }, stuckChoice(() => context.soon())), says,
      table.element),
    async round(signal) {
      const [{ leases, complete, stuck }, { sessions = [] }] = await Promise.all([
        askLeases(name, false, signal), call("SessionService/List", { queue: name }, signal),
      ]);
      const oldest = perSession(leases, (most = -1, { ageMs }) => Math.max(most, ageMs));
      const stuckOf = perSession(stuck.leases, (number = 0) => number + 1);
      setText(says, saysOf(sessions) + (complete ? ""
        : ` Looked at for the oldest are the first ${count(leases.length)} leases.`) +
        (stuck.complete ? "" : ` Counted as stuck are the first ${count(stuck.leases.length)}.`));
      table.show(sessions.map((session) => ({ ...session,
        oldestMs: oldest.get(session.sessionId) ?? -1,
        stuck: stuckOf.get(session.sessionId) ?? 0 })));
    },
  };
}

// What the leases of each session come to.
function perSession(leases, add) {
  const sums = new Map();
  for (const task of leases) sums.set(task.sessionId, add(sums.get(task.sessionId), task));
  return sums;
}
