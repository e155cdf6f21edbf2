
(() => {
  "use strict";
  // Tables: a button in each heading that sorts, the better end first.
  const value = (row, col) => {
    const cell = row.cells[col];
    const text = cell.dataset.v ?? cell.textContent.trim();
    const number = parseFloat(text);
    return number === number ? number : text;
  };
  const compare = (a, b) => {
    if (a === b) return 0;
    if (a === "" || b === "") return a === "" ? 1 : -1;
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    for (const head of table.querySelectorAll("th[data-col]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        const down = before ? before === "ascending" : head.hasAttribute("data-down");
        for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0], col = Number(head.dataset.col);
        const rows = [...body.rows].map((row) => [row, value(row, col)]);
        rows.sort(([, a], [, b]) => (down && a !== "" && b !== "" ? compare(b, a) : compare(a, b)));
        body.append(...rows.map(([row]) => row));
      });
    }
  }
  // Methods: pointing at a row, curve or legend shows the method everywhere; a click keeps it.
  let kept = "", shown = "";
  const pick = document.querySelector(".pick"), select = pick && pick.querySelector("select");
  const show = (method) => {
    if (method === shown) return;
    for (const e of document.querySelectorAll(".hot")) e.classList.remove("hot");
    shown = method;
    if (method === "") return;
    for (const e of document.querySelectorAll(`[data-m="${method}"]`)) {
      e.classList.add("hot");
      if (e.matches("g.curve")) e.parentNode.append(e); // above the others
    }
  };
  const keep = (method) => {
    kept = kept === method ? "" : method;
    if (select) select.value = kept;
    show(kept);
  };
  const methodOf = (e) => e.target.closest && e.target.closest("tr[data-m], g[data-m], li[data-m]");
  document.addEventListener("pointerover", (e) => {
    const found = methodOf(e);
    show(found ? found.dataset.m : kept);
  });
  document.addEventListener("click", (e) => {
    const found = methodOf(e);
    if (found) keep(found.dataset.m);
  });
  if (pick) {
    for (const row of document.querySelector("table.sortable").tBodies[0].rows) {
      const option = document.createElement("option");
      option.value = row.dataset.m;
      option.textContent = row.cells[0].textContent;
      select.append(option);
    }
    select.addEventListener("change", () => {
      kept = select.value;
      show(kept);
    });
    pick.hidden = false;
  }
  document.body.classList.add("live");
})();
