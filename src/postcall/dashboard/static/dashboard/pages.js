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

// What was typed into a form that keeps it is not left behind without a question; nor is what stands in it although
// nobody saved it.
const changed = new Set(document.querySelectorAll("form[data-keep][data-changed]"));
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (!form?.matches("form[data-keep]") || event.target.closest("[data-not-kept]")) return;
  changed.add(form);
  for (const note of document.querySelectorAll(`[data-unsaved="${CSS.escape(form.id)}"]`)) note.hidden = false;
});
document.addEventListener("submit", (event) => changed.delete(event.target));
// A form that was taken out of the page meanwhile holds nothing any more.
const unsaved = () => [...changed].some((form) => form.isConnected);
const searching = () => document.activeElement?.matches("input[type=search]") && document.activeElement.value !== document.activeElement.defaultValue;
addEventListener("beforeunload", (event) => { if (unsaved()) event.preventDefault(); });

// A refused form comes back as 422, with what is wrong.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status !== 422) return;
  event.detail.shouldSwap = true;
  event.detail.isError = false;
});

// A card that moves by itself leaves alone what is being typed in it; a page that has to be read anew waits for it.
const typingIn = (part) => part.contains(document.activeElement) && document.activeElement.matches("input, textarea");
const typed = (part) => [...part.querySelectorAll("form[data-keep]")].some((form) => changed.has(form));
document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.detail.elt;
  if (part.matches("[data-waits]") && (typingIn(part) || typed(part))) event.preventDefault();
  // A tab that nobody looks at asks nothing; once somebody does, it goes on within its usual pause.
  if (document.hidden && part.matches("[hx-trigger^=every]")) event.preventDefault();
});
document.addEventListener("htmx:beforeOnLoad", (event) => {
  if (event.detail.xhr.getResponseHeader("HX-Refresh") === "true" && (unsaved() || searching())) event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    return;
  }
});
