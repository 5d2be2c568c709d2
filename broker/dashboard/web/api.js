// SPDX-License-Identifier: Apache-2.0
//
// api.js -- calls of the broker: Connect's unary form in JSON, as proto/ackd/v1 says.
//
// Addresses are relative, so that the page also works below a path of some proxy's. The token lives
// in this tab's sessionStorage alone and goes nowhere but into the Authorization field.

const TOKEN = "ackd-token";

// How far the broker's clock is ahead of this machine's, as far as replies tell (whole seconds).
let clockAheadMs = 0;

// Now, by the broker's clock: what its times are compared with.
export function brokerNow() {
  return Date.now() + clockAheadMs;
}

// The broker answered, with an error of its own.
export class Refused extends Error {
  constructor(httpStatus, body) {
    super(body.message ?? `HTTP status ${httpStatus}`);
    this.httpStatus = httpStatus;
    this.code = body.code ?? "unknown";
  }
}

// It did not answer, or something between did.
export class Away extends Error {}

export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (value) => sessionStorage.setItem(TOKEN, value),
  clear: () => sessionStorage.removeItem(TOKEN),
};

// call("QueueService/List", { pageSize: 100 }, signal)
export async function call(method, request = {}, signal = undefined) {
  const headers = { "Content-Type": "application/json" };
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  const reply = await send(`ackd.v1.${method}`, {
    method: "POST", headers, body: JSON.stringify(request), signal, cache: "no-store",
  });
  noteClock(reply.headers.get("Date"));
  const body = await readBody(reply, signal);
  if (!reply.ok) throw new Refused(reply.status, body);
  return body;
}

function noteClock(date) {
  const ahead = Date.parse(date) - Date.now();
  if (!Number.isNaN(ahead)) clockAheadMs = Math.abs(ahead) < 2000 ? 0 : ahead;
}

async function send(address, options) {
  try {
    return await fetch(address, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Away("the broker does not answer");
  }
}

async function readBody(reply, signal) {
  try {
    return await reply.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Away(`what answers is no broker: HTTP status ${reply.status}`);
  }
}

const PAGE = 1000;
const PAGES_MAX = 40; // pages may be short, or empty

// Every item of a list that comes in pages, but at most `max`, a page more or less:
// { items, complete }
export async function callPages(method, request, field, max, signal) {
  const items = [];
  let pageToken = "";
  let pages = 0;
  do {
    const page = await call(method, { ...request, pageSize: PAGE, pageToken }, signal);
    items.push(...(page[field] ?? []));
    pageToken = page.nextPageToken ?? "";
    pages += 1;
  } while (pageToken !== "" && items.length < max && pages < PAGES_MAX);
  return { items, complete: pageToken === "" };
}
