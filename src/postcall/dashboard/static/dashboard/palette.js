// The palette: Ctrl K or Cmd K, a few words, and one is there. Without script the field in the sidebar does the same.
"use strict";

const palette = document.getElementById("palette");
const asked = palette?.querySelector("input");
const links = () => [...palette.querySelectorAll(".places a")];

function openPalette(words) {
  if (palette.open) return;
  asked.value = words;
  palette.showModal();
  asked.select();
  htmx.trigger(asked, "ask");
}

if (palette) {
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openPalette("");
    }
  });

  // A click beside it closes it: the dialog itself is hit only there.
  palette.addEventListener("click", (event) => { if (event.target === palette) palette.close(); });

  // Whoever was among the places when others came is not left nowhere.
  palette.addEventListener("htmx:afterSwap", () => {
    if (!palette.contains(document.activeElement)) asked.focus();
  });

  palette.addEventListener("keydown", (event) => {
    const all = links();
    const here = all.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = here + (event.key === "ArrowDown" ? 1 : -1);
      (all[Math.min(next, all.length - 1)] ?? asked).focus();
    } else if (event.key === "Enter" && event.target === asked && all.length) {
      event.preventDefault();
      // What is listed may be of fewer letters than stand here: the page for them lists all.
      if (palette.querySelector("[data-for]")?.dataset.for === asked.value.trim()) all[0].click();
      else event.target.form.requestSubmit();
    }
  });
}
