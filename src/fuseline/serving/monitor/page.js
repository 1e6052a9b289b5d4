// Looks for a newer page, unless somebody paused it; keeps open what was open.
const pause = document.querySelector("#pause");
const rows = [...document.querySelectorAll("details")];
const opened = new Set((sessionStorage.getItem("opened") || "").split(" "));
for (const one of rows) {
  one.open = opened.has(one.id);
  one.addEventListener("toggle", () => sessionStorage.setItem(
    "opened", rows.filter((each) => each.open).map((each) => each.id).join(" ")));
}
pause.checked = sessionStorage.getItem("paused") === "yes";
pause.addEventListener("change", () => sessionStorage.setItem("paused", pause.checked ? "yes" : "no"));
setInterval(() => { if (!pause.checked && !document.hidden) location.reload(); },
  1000 * Number(document.documentElement.dataset.seconds));
