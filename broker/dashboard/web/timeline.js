// SPDX-License-Identifier: Apache-2.0
//
// timeline.js -- a task's history, from its publish to what it is now: each delivery with who had
// it, how it ended and what was said about it.

import { brokerNow } from "./api.js";
import { data, h } from "./dom.js";
import { duration, num, plural, time, word } from "./format.js";

// How a delivery ended: its words, and the colour of style.css.
const ENDS = {
  ACKED: ["done", "done"],
  FAILED: ["failed", "dead"],
  PREEMPTED: ["given back, as its machine was going away", "delayed"],
  RELEASED: ["given back", "muted"],
  LOST: ["lost, as its worker vanished", "dead"],
  EXPIRED: ["lost, as its lease ran out", "dead"],
  CANCELLED: ["cancelled", "dead"],
};
// What else happened to it.
const EVENTS = {
  CANCELLED: ["Cancelled", "dead"],
  OUTLIVED: ["Too old: it waited longer than the queue lets tasks live", "dead"],
  REDRIVEN: ["Redriven: ready again, with its failures and losses at 0", "ready"],
};

// { at, text, colour, who: [name, value][], error, notes: string[], live: () -> text that grows }
export function eventsOf(task, result) {
  const attempts = task.attempts ?? [];
  const events = [];

  if (num(task.publishedUnixMs)) {
    events.push({ at: task.publishedUnixMs, text: "Published", colour: "ready" });
  }
  const forgotten = num(task.attemptsLeftOut);
  if (forgotten > 0) events.push({ text: `${plural(forgotten, "earlier event")}, not kept` });
  if (attempts.length === 0 && num(task.deliveries) > 0) {
    events.push({ text: `Delivered ${plural(num(task.deliveries), "time")}` });
  }
  events.push(...attempts.map((attempt) => eventOf(attempt, task)));
  if (task.state !== "TASK_STATE_LEASED" || attempts.length === 0) events.push(presentOf(task));
  if (result) {
    events.push({ at: result.storedUnixMs, colour: "done",
      text: `Result stored, by delivery ${num(result.fence)}` });
  }
  return events;
}

function eventOf(attempt, task) {
  const end = (attempt.end ?? "").replace("ATTEMPT_END_", "");
  const who = ["worker", "pod", "node"].filter((name) => attempt[name])
    .map((name) => [name, attempt[name]]);

  if (num(attempt.fence) === 0) {
    const [text, colour] = EVENTS[end] ?? [word(end, ""), "muted"];
    return { at: attempt.endedUnixMs, text, colour, who, error: attempt.error,
      notes: notesOf(attempt) };
  }
  if (num(attempt.endedUnixMs) === 0) return atWork(attempt, task, who);
  const [text, colour] = ENDS[end] ?? [word(end, ""), "muted"];
  const held = num(attempt.endedUnixMs) - num(attempt.leasedUnixMs);
  const after = num(attempt.leasedUnixMs) === 0 ? "" : ` after ${duration(held)}`;
  return { at: attempt.leasedUnixMs || attempt.endedUnixMs, colour, who, error: attempt.error,
    text: `Delivery ${num(attempt.fence)}: ${text}${after}`, notes: notesOf(attempt) };
}

function notesOf(attempt) {
  return [attempt.unstarted ? "its handler never began" : "",
    attempt.hasCheckpoint ? "a checkpoint was there for the next delivery" : "",
    attempt.deadReason ? `it made the task a dead letter: ${
      word(attempt.deadReason, "DEAD_REASON_")}` : ""].filter(Boolean);
}

function atWork({ fence, leasedUnixMs, sessionId }, task, who) {
  const since = (unixMs) => duration(Math.max(0, brokerNow() - num(unixMs)));
  const notes = [
    task.hasCheckpoint ? "a checkpoint is saved: the next delivery would carry it" : "",
    num(task.dueUnixMs) ? `the lease ends ${time(task.dueUnixMs)} unless it is renewed` : "",
    sessionId ? "" : "by a worker without a session",
  ].filter(Boolean);
  const moved = num(task.progressUnixMs) > num(leasedUnixMs);

  return { at: leasedUnixMs, colour: "leased", who, notes,
    text: `Delivery ${num(fence)}: at work`,
    live: () => ` for ${since(leasedUnixMs)}, ${moved
      ? `last progress ${since(task.progressUnixMs)} ago` : "no progress told yet"}` };
}

function presentOf(task) {
  switch (task.state) {
    case "TASK_STATE_LEASED":
      return atWork({ fence: task.fence, leasedUnixMs: task.leasedUnixMs,
        sessionId: task.sessionId }, task, []);
    case "TASK_STATE_DELAYED":
      return { at: task.dueUnixMs, colour: "delayed", text: "Ready again then, after its delay" };
    case "TASK_STATE_DONE":
      return { at: task.doneUnixMs, colour: "done", text: "Done" };
    case "TASK_STATE_DEAD":
      return { at: task.deadUnixMs, colour: "dead",
        text: `Dead letter: ${word(task.deadReason, "DEAD_REASON_")}` };
    default:
      return { colour: "ready", text: "Ready: waits for a worker" };
  }
}

// The list, and what refreshes the parts that grow: { element, refresh() }
export function timeline() {
  const element = h("ol", { class: "story" });
  let growing = [];

  return {
    element,
    show(events) {
      growing = [];
      element.replaceChildren(...events.map((event) => {
        const live = event.live && h("span", {});
        if (live) growing.push(() => { live.textContent = event.live(); });
        return item(event, live);
      }));
    },
    refresh: () => growing.forEach((grow) => grow()),
  };
}

function item({ at, text, colour = "muted", who = [], error, notes = [] }, live) {
  return h("li", { class: `c-${colour}` },
    h("time", {}, num(at) ? time(at) : ""),
    h("div", {}, h("p", {}, text, live),
      who.length + notes.length === 0 ? null : h("p", { class: "muted" },
        who.map(([name, value]) => h("span", { class: "who" }, `${name} `, data(value))),
        notes.map((note) => h("span", { class: "who" }, note))),
      error ? h("pre", { class: "content", tabindex: "0" }, error) : null));
}
