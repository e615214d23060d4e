// What the pages gain by script. Each works without it.
"use strict";

// The reader's zone, for the exact times that the server writes.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.split("; ").includes(`postcall_zone=${zone}`)) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `postcall_zone=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;
}

// "3 min ago" stays true while the page stands open.
function relative(moment) {
  const seconds = (Date.now() - moment) / 1000;
  const size = Math.abs(seconds);
  if (size < 10) return "just now";
  for (const [limit, unit, word] of [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [691200, 86400, "d"]]) {
    if (size < limit) {
      const amount = `${Math.floor(size / unit)} ${word}`;
      return seconds > 0 ? `${amount} ago` : `in ${amount}`;
    }
  }
  return null;
}

setInterval(() => {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const words = relative(Date.parse(time.dateTime));
    if (words && words !== time.textContent) time.textContent = words;
  }
}, 10000);

// A choice in a filter searches at once.
document.addEventListener("change", (event) => {
  if (event.target.matches("form[data-auto] select")) event.target.form.requestSubmit();
});

// Filters that ask for nothing stay out of the address.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[role=search]")) return;
  for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
});
addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("form[role=search] :disabled")) field.disabled = false;
});

// A menu closes when one turns away from it.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// A button that copies a field stands there only where it can.
function offerCopying(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("button[data-copy][hidden]")) button.hidden = false;
}
offerCopying(document);
document.addEventListener("htmx:load", (event) => offerCopying(event.target));
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
  const words = button.querySelector("span");
  words.textContent = "Copied";
  setTimeout(() => { words.textContent = "Copy"; }, 2000);
});

// What was typed into a form that keeps it is not left behind without a question.
const changed = new Set();
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (!form?.matches("form[data-keep]") || event.target.closest("[data-not-kept]")) return;
  changed.add(form);
  for (const note of document.querySelectorAll(`[data-unsaved="${CSS.escape(form.id)}"]`)) note.hidden = false;
});
document.addEventListener("submit", (event) => changed.delete(event.target));
addEventListener("beforeunload", (event) => { if (changed.size) event.preventDefault(); });

const writing = (element) => element.matches("input:not([type=checkbox]), textarea, select");

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    return;
  }
  if (!event.ctrlKey && !event.metaKey && !event.altKey && !writing(event.target)) walk(event);
});

// Review by keyboard: j and k go from one to the next, a and r decide the one where the focus is.
function walk(event) {
  const items = [...document.querySelectorAll("[data-walk] > article")];
  if (!items.length) return;
  const here = items.findIndex((item) => item.contains(document.activeElement));
  if (event.key === "j" || event.key === "k") {
    const next = items[Math.min(items.length - 1, Math.max(0, here + (event.key === "j" ? 1 : -1)))];
    next.focus();
    event.preventDefault();
  } else if (here >= 0) {
    const button = items[here].querySelector(`button[data-key="${CSS.escape(event.key)}"]`);
    if (button) button.click();
  }
}
