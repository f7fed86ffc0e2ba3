"use strict";
/* Verdicts are kept in this browser under the sample's name, and leave it only as a downloaded file. */
const store = "facetmill-" + document.body.dataset.sample;
const items = Array.from(document.querySelectorAll(".item"));
const auditor = document.getElementById("auditor");
const said = load();

function load() {
  try {
    return JSON.parse(localStorage.getItem(store)) || {};
  } catch (error) {
    return {};
  }
}

function save() {
  try {
    localStorage.setItem(store, JSON.stringify(said));
  } catch (error) {
    /* A browser that keeps nothing still downloads. */
  }
}

function show() {
  let done = 0;
  for (const item of items) {
    const mine = said[item.dataset.item] || {};
    for (const button of item.querySelectorAll("[data-verdict]")) {
      button.setAttribute("aria-pressed", String(button.dataset.verdict === mine.verdict));
    }
    item.classList.toggle("judged", Boolean(mine.verdict));
    if (mine.verdict) done += 1;
  }
  document.getElementById("progress").textContent = done + " of " + items.length + " judged";
}

function judge(item, change) {
  const mine = said[item.dataset.item] || {};
  said[item.dataset.item] = { ...mine, ...change, audited_at: new Date().toISOString() };
  save();
  show();
}

function cell(text) {
  return '"' + String(text || "").replaceAll('"', '""') + '"';
}

function csv() {
  const head = ["item_id", "verdict", "right_value", "auditor", "audited_at"];
  const lines = [head.join(",")];
  for (const item of items) {
    const mine = said[item.dataset.item];
    if (!mine || !mine.verdict) continue;
    const right = mine.verdict === "wrong" ? mine.right_value : "";
    lines.push([item.dataset.item, mine.verdict, right, auditor.value.trim(), mine.audited_at].map(cell).join(","));
  }
  return lines.join("\r\n") + "\r\n";
}

for (const item of items) {
  for (const button of item.querySelectorAll("[data-verdict]")) {
    button.addEventListener("click", () => judge(item, { verdict: button.dataset.verdict }));
  }
  const right = item.querySelector("[data-right]");
  right.value = (said[item.dataset.item] || {}).right_value || "";
  right.addEventListener("input", () => judge(item, { verdict: "wrong", right_value: right.value.trim() }));
}

auditor.value = said.auditor || "";
auditor.addEventListener("input", () => {
  said.auditor = auditor.value;
  save();
});

document.getElementById("next").addEventListener("click", () => {
  const open = items.find((item) => !(said[item.dataset.item] || {}).verdict);
  if (open) open.scrollIntoView({ behavior: "smooth", block: "center" });
});

document.getElementById("download").addEventListener("click", () => {
  if (!auditor.value.trim()) {
    auditor.focus();
    return;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = "verdicts-" + document.body.dataset.sample + ".csv";
  link.click();
  URL.revokeObjectURL(link.href);
});

show();
