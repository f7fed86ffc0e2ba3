"use strict";
/* Filters: what carries data-type or data-attribute shows only while it fits what is chosen. */
const chosen = { type: document.getElementById("type"), attribute: document.getElementById("attribute") };

function fits(element, key) {
  return !chosen[key].value || element.dataset[key] === undefined || element.dataset[key] === chosen[key].value;
}

function apply() {
  for (const element of document.querySelectorAll("[data-type], [data-attribute]")) {
    element.hidden = !(fits(element, "type") && fits(element, "attribute"));
  }
  for (const holder of document.querySelectorAll("[data-holds]")) {
    const parts = holder.querySelectorAll(holder.dataset.holds);
    const empty = parts.length > 0 && Array.from(parts).every((part) => part.hidden);
    if (empty) holder.hidden = true;
    else if (!holder.dataset.type) holder.hidden = false;
  }
  const shown = document.querySelectorAll(".card:not([hidden])").length;
  document.getElementById("shown").textContent = shown + (shown === 1 ? " product" : " products");
}

for (const select of Object.values(chosen)) select.addEventListener("change", apply);
document.getElementById("clear").addEventListener("click", () => {
  for (const select of Object.values(chosen)) select.value = "";
  apply();
});
