/* The console's own behaviour: focus in dialogs, and keys for people who decide many cases a day. */
"use strict";

document.addEventListener("htmx:afterSettle", (event) => {
  const dialog = event.target.closest && event.target.closest("#modal-content");
  if (!dialog) return;
  const field = dialog.querySelector("[autofocus], textarea, select, input:not([type=hidden])");
  if (field) setTimeout(() => field.focus(), 60);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const place = document.activeElement;
  if (place && (place.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(place.tagName))) return;
  const key = event.key.toLowerCase();
  if (!/^[a-z]$/.test(key)) return;
  const target = document.querySelector(`[data-key="${key}"]`);
  if (!target) return;
  event.preventDefault();
  const pressed = target.dataset.press ? document.querySelector(target.dataset.press) : target;
  if (pressed) pressed.click();
});
