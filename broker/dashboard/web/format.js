// SPDX-License-Identifier: Apache-2.0
//
// format.js -- numbers, times and sizes for people. Wire numbers come as strings (64 bits in
// proto3's JSON) or not at all (0): num() takes both.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const grouped = new Intl.NumberFormat("en-US");

export const NONE = "–";

export function num(value) {
  return Number(value ?? 0);
}

export function count(value) {
  return grouped.format(num(value));
}

// 4 digits or fewer: 999, 6k, 12.3k, 4.56M
export function compact(value) {
  const size = Math.abs(value);
  if (size < 10 && !Number.isInteger(value)) return value.toFixed(1);
  if (size < 1000) return String(Math.round(value));
  for (const [limit, unit] of [[1e6, "k"], [1e9, "M"], [1e12, "G"]]) {
    if (size < limit) return `${Number((value / (limit / 1000)).toPrecision(3))}${unit}`;
  }
  return value.toExponential(2);
}

export function rate(perSecond) {
  return perSecond === null || Number.isNaN(perSecond) ? NONE : `${compact(perSecond)}/s`;
}

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = num(value);
  let at = 0;
  for (; size >= 1024 && at < units.length - 1; at++) size /= 1024;
  return `${at === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[at]}`;
}

// 0.21 ms, 850 ms, 12.3 s, 4 m 05 s, 3 h 20 m, 2 d 04 h
export function duration(ms) {
  if (ms < 0 || Number.isNaN(ms)) return NONE;
  if (ms < 10 && !Number.isInteger(ms)) return `${ms.toFixed(ms < 1 ? 2 : 1)} ms`;
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < MINUTE) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms < HOUR) return two(ms, MINUTE, "m", SECOND, "s");
  if (ms < DAY) return two(ms, HOUR, "h", MINUTE, "m");
  return two(ms, DAY, "d", HOUR, "h");
}

// A time that somebody has set: 1.5 s, 10 m, 1 h 30 m, 7 d
export function lasting(ms) {
  return duration(ms).replace(/\.0 s$/, " s").replace(/ 00 [smh]$/, "");
}

function two(ms, large, largeName, small, smallName) {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)} ${largeName} ${String(rest).padStart(2, "0")} ${smallName}`;
}

export function time(unixMs) {
  const value = num(unixMs);
  if (value === 0) return NONE;
  const date = new Date(value - new Date(value).getTimezoneOffset() * MINUTE);
  return date.toISOString().slice(0, 19).replace("T", " ");
}

export function percent(share) {
  if (Number.isNaN(share)) return NONE;
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

// "TASK_STATE_READY" -> "ready"
export function word(constant, prefix) {
  return (constant ?? "").replace(prefix, "").toLowerCase().replaceAll("_", " ");
}

// "the token is not valid" -> "The token is not valid."
export function sentence(text) {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

export function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}
