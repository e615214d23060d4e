// What the forms of agents gain by script. Each works without it.
"use strict";

// Spare rows stand there for those without script; with it they come when asked for, and go.
for (const group of document.querySelectorAll("[data-grows]")) {
  const rows = [...group.querySelectorAll("[data-row]")];
  const filled = (row) => [...row.querySelectorAll("input, select")].some((field) => field.type !== "checkbox" && field.value);
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
      for (const field of row.querySelectorAll("input, select")) field.value = "";
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
