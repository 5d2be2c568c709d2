// SPDX-License-Identifier: Apache-2.0
//
// theme.js -- light, dark, or as the system has it. No module: it runs before the first paint, so
// that a dark page never flashes white.
"use strict";

{
  const KEY = "ackd-theme";
  const NEXT = { system: "light", light: "dark", dark: "system" };
  const LABEL = { system: "Theme: system", light: "Theme: light", dark: "Theme: dark" };
  const root = document.documentElement;

  const read = () => (localStorage.getItem(KEY) in NEXT ? localStorage.getItem(KEY) : "system");

  const apply = (theme) => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    document.dispatchEvent(new Event("theme"));
  };

  apply(read());
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    button.textContent = LABEL[read()];
    button.addEventListener("click", () => {
      localStorage.setItem(KEY, NEXT[read()]);
      button.textContent = LABEL[read()];
      apply(read());
    });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(read()));
}
