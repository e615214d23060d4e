// What the forms of agents gain by script. Each works without it.
"use strict";

// Spare rows stand there for those without script; with it they come when asked for, and go.
for (const group of document.querySelectorAll("[data-grows]")) {
  const rows = [...group.querySelectorAll("[data-row]")];
  const filled = (row) => [...row.querySelectorAll("input, select[data-tells]")].some((field) => field.value);
  const add = document.createElement("button");
  add.type = "button";
  add.className = "button small";
  add.textContent = group.dataset.add;
  const update = () => { add.hidden = !rows.some((row) => row.hidden); };
  rows.forEach((row, n) => {
    row.hidden = !filled(row) && (n > 0 || group.dataset.grows !== "0" || group.hasAttribute("data-may-be-empty"));
    const clear = row.querySelector("[data-clear]");
    clear.hidden = false;
    clear.addEventListener("click", () => {
      for (const field of row.querySelectorAll("input, select[data-tells]")) field.value = "";
      row.hidden = true;
      row.querySelector("input, select").dispatchEvent(new Event("input", { bubbles: true }));
      update();
      add.focus();
    });
  });
  add.addEventListener("click", () => {
    const row = rows.find((each) => each.hidden);
    row.hidden = false;
    row.querySelector("select, input").focus();
    update();
  });
  rows.at(-1).after(add);
  update();
}

// What recent calls held under the name that is typed, as the list of names tells it.
function tellSeen(field) {
  const hint = document.getElementById(`${field.id}-hint`);
  const words = field.list?.querySelector(`option[value="${CSS.escape(field.value)}"]`)?.textContent ?? "";
  if (hint) hint.textContent = words;
  else if (words) {
    const told = document.createElement("p");
    told.className = "hint";
    told.id = `${field.id}-hint`;
    told.textContent = words;
    field.after(told);
    field.setAttribute("aria-describedby", told.id);
  }
}
document.addEventListener("input", (event) => {
  if (event.target.list?.id.startsWith("held-") && event.target.closest(".told")) tellSeen(event.target);
});

// A name that recent calls held, taken over by a press.
for (const button of document.querySelectorAll("button[data-offer]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const { offer, tool, name } = button.dataset;
    const row = button.closest("[data-input]");
    const field = (part) => row.querySelector(`[name$=".${part}"]`);
    const set = (part, value) => {
      field(part).value = value;
      field(part).dispatchEvent(new Event("input", { bubbles: true }));
    };
    set("from", offer);
    if (offer === "action_result") set("tool", tool);
    const part = offer === "action_result" ? "result" : offer;
    set(part, name);
    field(part).focus();
  });
}

// A rule that is offered goes into the next free row without asking the server.
for (const button of document.querySelectorAll("button[data-rule]")) {
  button.addEventListener("click", (event) => {
    const rows = [...document.querySelectorAll(".rules [data-row]")];
    const row = rows.find((each) => ![...each.querySelectorAll("input, select[data-tells]")].some((field) => field.value));
    if (!row) return;
    event.preventDefault();
    row.hidden = false;
    for (const [part, value] of Object.entries(JSON.parse(button.value))) {
      row.querySelector(`[name$=".${part}"]`).value = value;
    }
    const field = row.querySelector("[data-tells]");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    button.closest("li").remove();
    field.focus();
  });
}

// What stands in the form although nobody saved it is not left behind without a question either.
const mapped = document.getElementById("mapping");
if (mapped?.hasAttribute("data-changed")) changed.add(mapped);
