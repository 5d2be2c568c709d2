// SPDX-License-Identifier: Apache-2.0
//
// view-dead.js -- dead letters grouped by why they died, as `ackctl dead list` groups them: by
// reason and the last line of the error.
//
// Redrive and delete name the letters of the group by their IDs: exactly those that the question
// counted, whatever died meanwhile. A queue without dedup can't look up IDs: there the broker
// selects by reason and error.

import { call, callPages } from "./api.js";
import { confirmed } from "./dialog.js";
import { data, empty, h, link, setText } from "./dom.js";
import { count, num, plural, time, word } from "./format.js";
import { Table } from "./table.js";

const LETTERS_MAX = 20000;
const DONE = { Redrive: "Redriven", Delete: "Deleted" };
const IDS_MAX = 10000; // of one request
const AGAIN_MS = 5000; // the list is long: it is read again when the number has changed, or so late

export function deadTab(context, name) {
  let queue = null;
  let readAt = -AGAIN_MS;
  let readOf = null;
  const says = h("p", { class: "muted" });
  const all = h("div", { class: "buttons" });
  const table = new Table({ label: "Dead letters by error",
    columns: columnsOf(name, askAndDo),
    key: (group) => group.key, sort: "Count", descending: true,
    filter: (group) => `${group.reason} ${group.error}`,
    empty: empty("No dead letters", "No task of this queue was given up.") });

  async function askAndDo(verb, groups) {
    const letters = groups.reduce((sum, group) => sum + group.ids.length, 0);
    const what = plural(letters, "dead letter");
    const text = verb === "Delete" ? "They are gone for good. Their IDs may be published again."
      : "They become ready again, with their failures and losses at 0.";
    if (!await confirmed({ title: `${verb} ${what}?`, text, action: `${verb} ${what}`,
      danger: verb === "Delete" })) return;
    readOf = null;
    context.act(() => carryOut(queue, verb, groups),
      (number) => `${DONE[verb]}: ${plural(number, "dead letter")}.`);
  }

  return {
    element: h("div", {}, says, all, table.element),
    async round(signal, current) {
      queue = current;
      const dead = num(queue.counts?.dead);
      if (readOf === dead && performance.now() - readAt < AGAIN_MS) return;
      const { items, complete } = await callPages("DeadLetterService/List", { queue: name },
        "deadLetters", LETTERS_MAX, signal);
      const groups = groupsOf(items);
      readOf = dead;
      readAt = performance.now();
      setText(says, complete ? "" : `The first ${count(items.length)} of ${count(dead)}.`);
      showAll(all, groups, askAndDo);
      table.show(groups);
    },
  };
}

function showAll(place, groups, askAndDo) {
  const letters = groups.reduce((sum, group) => sum + group.ids.length, 0);
  const signature = groups.map((group) => `${group.key}${group.ids.length}`).join("\n");
  if (place.dataset.signature === signature) return;
  place.dataset.signature = signature;
  place.replaceChildren(...(groups.length < 2 ? [] : [
    h("button", { type: "button", onclick: () => askAndDo("Redrive", groups) },
      `Redrive all ${count(letters)}`),
    h("button", { type: "button", class: "danger", onclick: () => askAndDo("Delete", groups) },
      `Delete all ${count(letters)}`)]));
}

function groupsOf(letters) {
  const groups = new Map();
  for (const letter of letters) {
    const reason = word(letter.reason, "DEAD_REASON_");
    const error = (letter.error ?? "").trimEnd().split("\n").at(-1);
    const key = `${reason}\n${error}`;
    if (!groups.has(key)) {
      groups.set(key, { key, reason, error, letters: [], ids: [], lastUnixMs: 0 });
    }
    const group = groups.get(key);
    group.letters.push(letter);
    group.ids.push(letter.task.taskId);
    group.lastUnixMs = Math.max(group.lastUnixMs, num(letter.deadUnixMs));
  }
  return [...groups.values()];
}

async function carryOut(queue, verb, groups) {
  let number = 0;
  for (const selection of groups.flatMap((group) => selectionsOf(queue, group))) {
    const reply = await call(`DeadLetterService/${verb}`, { queue: queue.name, selection });
    number += num(verb === "Delete" ? reply.deleted : reply.redriven);
  }
  return number;
}

function selectionsOf(queue, group) {
  const selections = [];
  if (!queue.config.dedup) {
    const errors = new Set(group.letters.map((letter) => letter.error ?? ""));
    return [...errors].map((error) => ({ all: true, reason: group.letters[0].reason, error }));
  }
  for (let at = 0; at < group.ids.length; at += IDS_MAX) {
    selections.push({ taskIds: group.ids.slice(at, at + IDS_MAX) });
  }
  return selections;
}

function columnsOf(name, askAndDo) {
  // The buttons stay while the group grows: what they act on is looked up when they are clicked.
  const current = new WeakMap();
  const button = (verb, danger) => h("button", { type: "button", class: danger ? "danger" : null,
    onclick: (event) => askAndDo(verb, [current.get(event.target.parentElement)]) }, verb);

  return [
    { title: "Count", number: true, value: (group) => group.ids.length,
      cell: (group) => count(group.ids.length) },
    { title: "Reason", minor: true, value: (group) => group.reason, cell: (group) => group.reason },
    { title: "Error", wide: true, value: (group) => group.error,
      node: (group) => (group.error ? data(group.error, { title: group.error })
        : h("i", {}, `no error text (${group.reason})`)) },
    { title: "Example", minor: true, wide: true, value: (group) => group.ids[0],
      node: (group) => link(group.ids[0], "queues", name, "tasks", group.ids[0]) },
    { title: "Last", minor: true, value: (group) => group.lastUnixMs,
      cell: (group) => time(group.lastUnixMs) },
    { title: "Actions",
      node: () => h("span", { class: "buttons" }, button("Redrive", false), button("Delete", true)),
      refresh: (element, group) => {
        current.set(element, group);
        for (const child of element.children) {
          child.setAttribute("aria-label", `${child.textContent} ${
            plural(group.ids.length, "dead letter")}: ${group.error || group.reason}`);
        }
      } },
  ];
}
