// SPDX-License-Identifier: Apache-2.0
//
// caller.js -- who looks at this page, and what they may do: asked once a token. The broker decides
// over each call anyhow; this is for not offering what it would refuse.

import { call } from "./api.js";

let caller = null;

export async function askCaller(signal) {
  caller ??= await call("AdminService/Whoami", {}, signal);
}

export function isCallerKnown() {
  return caller !== null;
}

export function forgetCaller() {
  caller = null;
}

// Empty where the broker asks nobody who they are.
export function callerName() {
  return caller?.name ?? "";
}

// Whether they have the right on this queue; without a queue: on the whole broker.
export function may(right, queue = null) {
  if ((caller?.kind ?? "CALLER_KIND_ANYBODY") === "CALLER_KIND_ANYBODY") return true;
  return (caller.grants ?? []).some((grant) => {
    const [rights, pattern] = grant.split(":");
    const holds = rights.split(",").some((one) => one === right || one === "admin");
    return holds && (queue === null ? pattern === "*" : fits(queue, pattern));
  });
}

function fits(name, pattern) {
  const parts = pattern.split("*").map((part) => part.replace(/[^a-z0-9_-]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(name);
}
