// SPDX-License-Identifier: Apache-2.0
//
// view-results.js -- the results that the broker keeps, by task ID, each with a look into it.

import { call } from "./api.js";
import { showDialog } from "./dialog.js";
import { empty, h, link } from "./dom.js";
import { NONE, num, time } from "./format.js";
import { preview } from "./preview.js";
import { Table } from "./table.js";
import { Pages } from "./view-tasks.js";

const PAGE = 50;

export function resultsTab(context, name) {
  const pages = new Pages(() => context.soon());
  const dataset = h("input", { id: "dataset", type: "search", onchange: () => {
    pages.restart();
    context.soon();
  } });
  const table = new Table({ label: "Results", columns: columnsOf(context, name),
    key: (result) => result.taskId,
    empty: empty("No results here",
      "Workers whose sink is the broker leave them with the ack. All of them, in a file:",
      `ackctl results export ${name}`) });

  return {
    element: h("div", {},
      h("div", { class: "tools" }, h("label", { for: "dataset" }, "Dataset"), dataset),
      table.element, pages.element),
    async round(signal) {
      const reply = await call("ResultService/List", { queue: name, pageSize: PAGE, idsOnly: true,
        pageToken: pages.token, dataset: dataset.value }, signal);
      table.show(reply.results ?? []);
      pages.show(reply.nextPageToken);
    },
  };
}

async function look(context, queue, taskId) {
  try {
    const { result } = await call("ResultService/Get", { queue, taskId });
    showDialog(`Result of ${taskId}`, preview(result.data, `${taskId}.result`));
  } catch (error) {
    context.act(() => { throw error; });
  }
}

function columnsOf(context, name) {
  return [
    { title: "Task", wide: true, value: (result) => result.taskId,
      node: (result) => link(result.taskId, "queues", name, "tasks", result.taskId) },
    { title: "Dataset", minor: true, wide: true, value: (result) => result.dataset ?? "",
      cell: (result) => result.dataset ?? NONE },
    { title: "Stored", value: (result) => num(result.storedUnixMs),
      cell: (result) => time(result.storedUnixMs) },
    { title: "Fence", number: true, minor: true, value: (result) => num(result.fence),
      cell: (result) => String(num(result.fence)) },
    { title: "Result",
      node: (result) => h("button", { type: "button", "aria-label": `Preview ${result.taskId}`,
        onclick: () => look(context, name, result.taskId) }, "Preview") },
  ];
}
