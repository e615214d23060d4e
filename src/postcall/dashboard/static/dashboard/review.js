// Review by keyboard: from one to the next, deciding, and on.
"use strict";

{
  const undecided = () => [...document.querySelectorAll("[data-walk] > article:not([data-decided])")];
  const typing = (element) => element.matches("input:not([type=checkbox]), textarea, select");

  function go(item) {
    if (!item) return;
    item.focus();
    item.scrollIntoView({ block: "nearest" });
  }

  function walk(key) {
    const items = undecided();
    const here = items.findIndex((item) => item.contains(document.activeElement));
    go(items[Math.min(items.length - 1, Math.max(0, here + (key === "j" ? 1 : -1)))]);
  }

  function press(item, key) {
    const control = item.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (!control || control.disabled) return;
    if (control.matches("details")) return void (control.open = !control.open);
    if (!control.matches("textarea")) return control.click();
    control.focus();
    control.setSelectionRange(control.value.length, control.value.length);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const item = document.activeElement.closest("[data-walk] > article");
    if (event.key === "Escape" && item && typing(event.target)) return go(item);
    if (typing(event.target)) return;
    if (event.key === "?") document.getElementById("keys")?.showModal();
    else if (event.key === "j" || event.key === "k") walk(event.key);
    else if (item && event.key.length === 1) press(item, event.key);
    else return;
    event.preventDefault();
  });

  // A decision puts another article where the one was: the focus goes on to the next, or to what is wrong with it.
  let next = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const item = event.detail.target;
    if (!item.matches("[data-walk] > article")) return;
    const items = undecided();
    const here = items.indexOf(item);
    next = { id: item.id, then: items[here + 1] ?? items[here - 1] };
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (!next) return;
    const { id, then } = next;
    next = null;
    const item = document.getElementById(id);
    const refusal = item?.querySelector("[data-refused]");
    if (refusal) return refusal.focus();
    if (item && !item.matches("[data-decided]")) return go(item);
    if (then) return go(then);
    const over = document.getElementById("all-decided");
    over.hidden = false;
    go(over);
  });

  for (const button of document.querySelectorAll("[data-show-keys]")) {
    button.hidden = false;
    button.addEventListener("click", () => document.getElementById("keys").showModal());
  }
  for (const button of document.querySelectorAll("[data-tick-all]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const checks = [...document.querySelectorAll("[data-walk] > article:not([data-decided]) .check")];
      const all = checks.every((check) => check.checked);
      for (const check of checks) check.checked = !all;
    });
  }
}
