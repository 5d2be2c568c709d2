// SPDX-License-Identifier: Apache-2.0
//
// main.js -- the queues, as a list.

async function call(method, request) {
  const reply = await fetch(`ackd.v1.${method}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request),
  });
  return reply.json();
}

const { queues = [] } = await call("QueueService/List", { pageSize: 1000 });
document.querySelector("#view").replaceChildren(...queues.map((queue) => {
  const row = document.createElement("p");
  row.textContent = `${queue.name}: ${queue.counts?.ready ?? 0} ready`;
  return row;
}));
