"use strict";
(() => {
  // "1,234", "56.7%", "0.12 to 0.34", "1e-5": the first number of a cell, else its text
  const keyOf = (cell) => {
    const text = cell.textContent.trim();
    const found = text.replace(/,(?=\d{3})/g, "").match(/^-?\d+(\.\d+)?(e[-+]?\d+)?/i);
    return found ? Number(found[0]) : text.toLowerCase();
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a < b ? -1 : a > b ? 1 : 0;
  };
  document.querySelectorAll("table.sortable").forEach((table) => {
    const body = table.tBodies[0];
    if (body.rows.length < 3) return;
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        const sign = down ? -1 : 1;
        const rows = Array.from(body.rows, (row) => ({ row, key: keyOf(row.cells[column]) }));
        rows.sort((one, other) => sign * compare(one.key, other.key));
        heads.forEach((cell) => cell.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        body.append(...rows.map((entry) => entry.row));
      });
      head.append(button);
    });
  });
})();
