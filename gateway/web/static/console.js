// What makes the auditors' console quick. htmx fetches the very page that a link or a form leads to,
// and puts a part of it in the place of ours. This file sees to it that nobody loses by that: where
// the focus is, what a screen reader says, and whatever the gateway answers in another page's place.
// It keeps nothing and asks nothing. Without scripts the same links and forms lead to whole pages.
"use strict";

{
  const by = (id) => document.getElementById(id);
  let came = "nothing"; // of the last answer: a "part" as wanted, another page "whole", or "nothing"
  let stood = 0; // rows in the list before more came

  // What stands here stays, and it is said that nothing came.
  function unanswered() {
    came = "nothing";
    by("main").removeAttribute("aria-busy");
    by("unanswered").hidden = false;
    by("unanswered").focus();
  }

  // A click that opens another tab or window stays the browser's own.
  document.addEventListener("click", (event) => {
    const other = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (other && event.target.closest("a[hx-get]")) event.stopPropagation();
  }, true);

  // A form that leads back to this page leads back to what stands in it now.
  document.addEventListener("submit", (event) => {
    const back = event.target.querySelector("input[name=back]");
    if (back) back.value = location.pathname + location.search;
  }, true);

  document.addEventListener("htmx:configRequest", (event) => {
    delete event.detail.headers["HX-Current-URL"]; // browsers say themselves where they are
  });

  document.addEventListener("htmx:beforeSend", () => {
    by("unanswered").hidden = true;
    by("main").setAttribute("aria-busy", "true");
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const told = event.detail;
    const { elt } = told.requestConfig;
    told.isError = false; // it is shown like any other
    if (told.xhr.status === 401 || new URL(told.xhr.responseURL).pathname === "/sign-in") {
      came = "nothing";
      told.shouldSwap = false;
      location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
      return;
    }
    const page = new DOMParser().parseFromString(told.serverResponse, "text/html");
    told.shouldSwap = page.getElementById("main") !== null;
    if (!told.shouldSwap) { unanswered(); return; }
    came = page.querySelector(elt.getAttribute("hx-select")) ? "part" : "whole";
    stood = by("list") ? by("list").children.length : 0;
    if (came === "whole") {
      told.target = document.body;
      told.selectOverride = "unset";
      told.swapOverride = "innerHTML show:window:top";
    }
  });

  document.addEventListener("htmx:afterOnLoad", (event) => {
    sessionStorage.removeItem("htmx-current-path-for-history"); // not even the address is kept
    if (came === "nothing") return;
    by("main").removeAttribute("aria-busy");
    if (came === "whole") { by("main").focus(); return; }
    const { elt } = event.detail.requestConfig;
    const problem = document.querySelector("#problem .problem");
    let next = problem;
    if (elt.dataset.then === "more") {
      const row = by("list").children[stood];
      next = row.querySelector("a[href]") || row;
      for (const count of document.querySelectorAll("#pager [data-count]"))
        count.textContent = by("list").children.length.toLocaleString("en");
    } else if (elt.dataset.then && !problem) {
      next = document.querySelector(elt.dataset.then);
    }
    if (next) {
      if (next.tabIndex < 0) next.tabIndex = -1;
      next.focus();
    }
    const told = document.querySelector("[data-told]");
    by("status").textContent = told && !problem ? told.textContent : "";
  });

  for (const name of ["sendError", "timeout", "swapError", "targetError", "onLoadError"])
    document.addEventListener(`htmx:${name}`, unanswered);
}
