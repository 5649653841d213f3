/* What CSS cannot do. Everything works without this file; nothing here is inline, nothing is evaluated.
   "choose all" in tables; focus, news and errors when htmx swaps a part of the page. */
"use strict";
(() => {
  const boxes = (sheet) => [...sheet.querySelectorAll("tbody .pick input")];

  // A box in the head of a table chooses all rows, and shows when only some are chosen.
  const reveal = () => {
    for (const all of document.querySelectorAll("[data-pick-all]")) all.hidden = false;
  };

  document.addEventListener("change", ({ target }) => {
    const sheet = target.closest?.(".sheet");
    if (!sheet || !target.closest(".pick")) return;
    const all = sheet.querySelector("[data-pick-all]");
    if (target === all) for (const box of boxes(sheet)) box.checked = all.checked;
    if (!all) return;
    const chosen = boxes(sheet).filter((box) => box.checked).length;
    all.checked = chosen > 0 && chosen === boxes(sheet).length;
    all.indeterminate = chosen > 0 && !all.checked;
  });

  // What changed is said once, by a region that was on the page before.
  const announce = (text) => {
    const region = document.getElementById("announce");
    if (region) region.textContent = text;
  };

  // An answer that does not have the part we asked for (an error, the sign-in page) becomes a page.
  document.addEventListener("htmx:before:swap", (event) => {
    const { select, text, response, request } = event.detail.ctx;
    if (!select || request.method !== "GET") return;
    const page = new DOMParser().parseFromString(text, "text/html");
    if (page.querySelector(select)) return;
    event.preventDefault();
    location.assign(response.raw.redirected ? response.raw.url : request.action);
  });

  document.addEventListener("htmx:after:swap", (event) => {
    reveal();
    const { select } = event.detail.ctx;
    const part = select && document.querySelector(select);
    if (!part) return;
    announce(part.querySelector("[data-announce]")?.textContent.trim() ?? "");
    if (document.activeElement && document.activeElement !== document.body) return;
    part.tabIndex = -1; // what had the focus is gone: the keyboard goes on from here
    part.focus({ preventScroll: true });
  });

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", reveal);
  else reveal();
})();
