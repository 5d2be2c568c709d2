// SPDX-License-Identifier: Apache-2.0
//
// view-dead.js -- dead letters grouped by why they died, as `ackctl dead list` groups them: by
// reason and the last line of the error.
//
// Redrive and delete name the letters of the group by their IDs: exactly those that the question
// counted, whatever died meanwhile. A queue without dedup can't look up IDs: there the broker
// selects by reason and error; and where there are more than are read, it selects all. To the broker
// no error text means any: there letters without one are redriven or deleted only with all others.

import { call, callPages } from "./api.js";
import { may } from "./caller.js";
import { confirmed } from "./dialog.js";
import { data, empty, h, link, relink, setText } from "./dom.js";
import { count, num, plural, time, word } from "./format.js";
import { Table } from "./table.js";

const LETTERS_MAX = 10_000;
const DONE = { Redrive: "Redriven", Delete: "Deleted" };
const IDS_MAX = 10000; // of one request
const AGAIN_MS = 5000; // the list is long: it is read again when the number has changed, or so late

export function deadTab(context, name) {
  let queue = null;
  let readAt = -AGAIN_MS;
  let readOf = null;
  const says = h("p", { class: "says" });
  const all = h("div", { class: "buttons" });
  const table = new Table({ label: "Dead letters by error",
    columns: columnsOf(name, canBeNamed, askAndDo),
    key: (group) => group.key, sort: "Count", descending: true,
    filter: (group) => `${group.reason} ${group.error}`,
    empty: empty("No dead letters", "No task of this queue is given up.") });

  function canBeNamed(group) {
    return Boolean(queue.config.dedup) || group.letters.every((letter) => letter.error);
  }

  // `groups`: null for every dead letter of the queue, also those that come meanwhile.
  async function askAndDo(verb, groups) {
    const what = plural(groups ? lettersIn(groups) : num(queue.counts?.dead), "dead letter");
    const text = [verb === "Delete" ? "They are gone for good. Their IDs may be published again."
      : "They become ready again, with their failures and losses at 0.",
    groups ? "" : `So ${verb === "Delete" ? "are" : "do"} those that die until it is done.`]
      .join(" ");
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
      setText(says, complete ? "" : `Grouped are the first ${count(items.length)} of ${
        count(dead)} dead letters. The buttons of a group act on those counted.`);
      if (may("admin", name)) {
        showAll(all, complete && groups.every(canBeNamed) ? groups : null, dead, askAndDo);
      }
      table.show(groups);
    },
  };
}

function lettersIn(groups) {
  return groups.reduce((sum, group) => sum + group.ids.length, 0);
}

// Buttons for all groups at once, where there is more than one, or (null) for every dead letter:
// there are more than were read, or some that can't be named.
function showAll(place, groups, dead, askAndDo) {
  const letters = groups ? lettersIn(groups) : dead;
  const signature = JSON.stringify([letters, groups?.map(({ key, ids }) => [key, ids.length])]);
  const button = (verb, danger) => h("button", { type: "button", class: danger ? "danger" : null,
    onclick: () => askAndDo(verb, groups) }, `${verb} all ${count(letters)}`);

  if (place.dataset.signature === signature) return;
  place.dataset.signature = signature;
  place.replaceChildren(...(groups && groups.length < 2 ? []
    : [button("Redrive", false), button("Delete", true)]));
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
  const selections = groups ? groups.flatMap((group) => selectionsOf(queue, group))
    : [{ all: true }];
  let number = 0;
  for (const selection of selections) {
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

function columnsOf(name, canBeNamed, askAndDo) {
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
      node: (group) => link(group.ids[0], "queues", name, "tasks", group.ids[0]),
      refresh: (element, group) => relink(element, group.ids[0], "queues", name, "tasks",
        group.ids[0]) },
    { title: "Last", minor: true, value: (group) => group.lastUnixMs,
      cell: (group) => time(group.lastUnixMs) },
    ...(may("admin", name) ? [{ title: "Actions",
      node: () => h("span", { class: "buttons" }, button("Redrive", false), button("Delete", true),
        h("i", { title: "This queue has no dedup: letters without error text can't be selected." },
          "only all together")),
      refresh: (element, group) => {
        const named = canBeNamed(group);
        current.set(element, group);
        element.querySelector("i").hidden = named;
        for (const child of element.querySelectorAll("button")) {
          child.hidden = !named;
          child.setAttribute("aria-label", `${child.textContent} ${
            plural(group.ids.length, "dead letter")}: ${group.error || group.reason}`);
        }
      } }] : []),
  ];
}
