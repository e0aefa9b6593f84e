// Partial updates. Every page works without this file: it only replaces marked regions of the page
// by the same regions of the page that the server would have shown.
"use strict";

const parse = (text) => new DOMParser().parseFromString(text, "text/html");

function swap(fresh, ids) {
  for (const id of ids) {
    const old = document.getElementById(id);
    const replacement = fresh.getElementById(id);
    if (old && replacement) old.replaceWith(document.importNode(replacement, true));
  }
}

async function load(url, options, ids, remember) {
  const answer = await fetch(url, { credentials: "same-origin", ...options });
  const type = answer.headers.get("Content-Type") || "";
  if (!type.startsWith("text/html")) { location.assign(url); return; }
  const fresh = parse(await answer.text());
  if (!ids.some((id) => fresh.getElementById(id))) { location.assign(answer.url); return; }
  swap(fresh, [...ids, "flashes"]);
  if (remember) history.replaceState(null, "", answer.url);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const ids = (form.dataset.swap || "").split(" ").filter(Boolean);
  if (!ids.length || (event.submitter && event.submitter.dataset.whole !== undefined)) return;
  event.preventDefault();
  const body = new FormData(form, event.submitter);
  const pairs = new URLSearchParams([...body].map(([key, value]) => [key, String(value)]));
  if (form.method === "get") load(`${form.action.split("?")[0]}?${pairs}`, {}, ids, true);
  else load(form.action, { method: "POST", body: pairs }, ids, true);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  load(link.href, {}, link.dataset.swap.split(" "), true);
});

document.addEventListener("change", (event) => {
  const field = event.target;
  if (field.matches("[data-submit]")) field.form.requestSubmit();
  const cell = field.closest(".switch");
  if (cell) cell.classList.toggle("changed", field.checked !== field.defaultChecked);
  const form = field.form && field.form.querySelector("[data-changes]");
  if (form) {
    const changed = [...field.form.elements].filter((each) =>
      each.type === "checkbox" ? each.checked !== each.defaultChecked
        : each.tagName === "SELECT" && [...each.options].some((o) => o.selected !== o.defaultSelected));
    form.textContent = form.dataset.changes.replace("0", String(changed.length));
    form.hidden = changed.length === 0;
  }
});

for (const region of document.querySelectorAll("[data-refresh]")) {
  setInterval(() => {
    const busy = document.activeElement && document.activeElement.closest(`#${region.id}`);
    if (!document.hidden && !busy) load(location.href, {}, [region.id], false).catch(() => {});
  }, Number(region.dataset.refresh) * 1000);
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
