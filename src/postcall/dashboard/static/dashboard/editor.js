// What the action editor gains by script. Each works without it.
"use strict";

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-discard]")) changed.clear();
  const mend = event.target.closest?.("button[name^=mend-]");
  if (!mend) return;
  event.preventDefault();
  const field = document.getElementById(mend.name.replace("mend-", "").replace("text", "message"));
  if (field.type === "checkbox") field.checked = true;
  else field.value = mend.value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
});

// The result of a trial is read out; an answer that never came is told.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id === "try") document.getElementById("tried")?.focus();
});
function tell(event, failed) {
  if (event.detail.target?.id !== "try") return;
  document.querySelector("#try .failed-note").hidden = !failed;
}
document.addEventListener("htmx:beforeRequest", (event) => tell(event, false));
for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => tell(event, true));
}

// Enter in the search among the calls searches; it does not save the action. The search listens to it by itself.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.target.id !== "number") return;
  event.preventDefault();
  event.target.dispatchEvent(new Event("search"));
});
