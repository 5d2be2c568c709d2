// SPDX-License-Identifier: Apache-2.0
//
// preview.js -- bytes that somebody stored, as far as they can be shown: JSON laid out, text as it
// is, a picture, or a hex dump. Whatever it is, it is shown and never run: pictures are of kinds
// that can't hold scripts.

import { h } from "./dom.js";
import { bytes as size } from "./format.js";

const SHOWN_BYTES = 64 * 1024;
const HEX_BYTES = 1024;
const PICTURES = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47]],
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/gif", [0x47, 0x49, 0x46, 0x38]],
];

export function fromBase64(text) {
  return Uint8Array.from(atob(text ?? ""), (character) => character.charCodeAt(0));
}

// `base64` as the wire has it; `name` for the file that "Save" makes.
export function preview(base64, name) {
  const content = fromBase64(base64);
  if (content.length === 0) return h("p", { class: "muted" }, "Empty: 0 bytes.");
  const [kind, element] = pictureOf(content, base64) ?? textOf(content) ?? hexOf(content);
  return h("div", { class: "preview" },
    h("p", { class: "preview-head" }, `${kind}, ${size(content.length)} `,
      h("button", { type: "button", class: "quiet", onclick: () => save(content, name) }, "Save")),
    element);
}

function pictureOf(content, base64) {
  const found = PICTURES.find(([, magic]) => magic.every((byte, i) => content[i] === byte));
  if (!found) return null;
  const [type] = found;
  return [type, h("img", { src: `data:${type};base64,${base64}`, alt: "Preview" })];
}

function textOf(content) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    return null;
  }
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000e-\u001f]/.test(text)) return null;
  const json = laidOut(text);
  const whole = json ?? text;
  const shown = whole.length > SHOWN_BYTES ? `${whole.slice(0, SHOWN_BYTES)}…` : whole;
  return [json ? "JSON" : "Text", h("pre", { class: "content", tabindex: "0" }, shown)];
}

function laidOut(text) {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}

function hexOf(content) {
  const lines = [];
  for (let at = 0; at < Math.min(content.length, HEX_BYTES); at += 16) {
    const row = [...content.subarray(at, at + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = row.map(printable).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${text}`);
  }
  if (content.length > HEX_BYTES) lines.push(`… ${size(content.length - HEX_BYTES)} more`);
  return ["Bytes", h("pre", { class: "content", tabindex: "0" }, lines.join("\n"))];
}

function printable(byte) {
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".";
}

function save(content, name) {
  const address = URL.createObjectURL(new Blob([content]));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
