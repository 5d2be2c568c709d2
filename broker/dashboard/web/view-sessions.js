// SPDX-License-Identifier: Apache-2.0
//
// view-sessions.js -- the workers: one row a session, of all queues or of one.

import { brokerNow, call } from "./api.js";
import { empty, h, link, setText } from "./dom.js";
import { compact, count, duration, NONE, num, time } from "./format.js";
import { Table } from "./table.js";
import { askLeases } from "./view-leases.js";

const LATE_SHARE = 0.6; // a heartbeat comes every third of a session's life

const NOBODY = () => empty("No sessions", "No worker is connected. A worker opens one by itself:",
  "ackctl work QUEUE -- COMMAND");

const BASE = [
  { title: "Worker", wide: true, value: (session) => session.worker ?? "",
    node: (session) => h("span", {}, h("bdi", { class: "data", title: session.worker },
      session.worker || "unnamed"), h("span", { class: "chip bad" }, "late")),
    refresh: (element, session) => {
      element.lastChild.hidden = silenceOf(session) < num(session.sessionMs) * LATE_SHARE;
    } },
  { title: "Leased", number: true, value: (session) => num(session.leased),
    cell: (session) => compact(num(session.leased)) },
  { title: "Acked", number: true, hint: "Since the broker started",
    value: (session) => num(session.acked), cell: (session) => compact(num(session.acked)) },
  { title: "Heartbeat", number: true, value: silenceOf, hint: "How long ago",
    cell: (session) => duration(silenceOf(session)) },
  { title: "Lost after", number: true, minor: true, hint: "So long without a heartbeat",
    value: (session) => num(session.sessionMs),
    cell: (session) => duration(num(session.sessionMs)) },
  { title: "Open for", number: true, minor: true, value: (session) => -num(session.openedUnixMs),
    cell: (session) => duration(brokerNow() - num(session.openedUnixMs)) },
  { title: "Since", minor: true, value: (session) => num(session.openedUnixMs),
    cell: (session) => time(session.openedUnixMs) },
  { title: "Session", minor: true, value: (session) => session.sessionId,
    cell: (session) => session.sessionId },
];

const QUEUE = { title: "Queue", wide: true, value: (session) => session.queue,
  node: (session) => link(session.queue, "queues", session.queue, "sessions") };

const HELD = [
  { title: "Oldest lease", number: true, value: (session) => session.oldestMs,
    cell: (session) => (session.oldestMs < 0 ? NONE : duration(session.oldestMs)) },
  { title: "Stuck", number: true, minor: true, value: (session) => session.stuck,
    cell: (session) => count(session.stuck) },
];

function silenceOf(session) {
  return Math.max(0, brokerNow() - num(session.heartbeatUnixMs));
}

function tableOf(columns) {
  return new Table({ label: "Sessions", columns, sort: "Worker", empty: NOBODY(),
    key: (session) => session.sessionId + session.queue,
    filter: (session) => `${session.worker ?? ""} ${session.queue}` });
}

export function sessionsView() {
  const table = tableOf([BASE[0], QUEUE, ...BASE.slice(1)]);
  const says = h("p", { class: "muted" });

  return {
    title: "Sessions",
    element: h("section", {}, h("h1", {}, "Sessions"), says, table.element),
    async round(signal) {
      const { sessions = [] } = await call("SessionService/List", {}, signal);
      const leased = sessions.reduce((sum, session) => sum + num(session.leased), 0);
      setText(says, sessions.length === 0 ? "" :
        `${count(sessions.length)} open, holding ${count(leased)} leases.`);
      table.show(sessions);
    },
  };
}

export function queueSessionsTab() {
  const table = tableOf([BASE[0], BASE[1], ...HELD, ...BASE.slice(2)]);

  return {
    element: h("div", {}, table.element),
    async round(signal, queue) {
      const { leases, sessions } = await askLeases(queue, signal);
      table.show(sessions.map((session) => {
        const held = leases.filter((task) => task.sessionId === session.sessionId);
        return { ...session, stuck: held.filter((task) => task.stuck).length,
          oldestMs: held.length === 0 ? -1 : Math.max(...held.map((task) => task.ageMs)) };
      }));
    },
  };
}
