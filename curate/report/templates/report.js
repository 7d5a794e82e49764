"use strict";
(() => {
  const table = document.getElementById("examples");
  const keys = JSON.parse(document.getElementById("sort-keys").textContent);
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (element, index) => ({
    element,
    keys: keys[index],
    text: element.textContent.toLowerCase(),
  }));
  const status = document.getElementById("shown");
  const filter = document.getElementById("filter");
  const heads = Array.from(table.tHead.rows[0].cells);

  const announce = (words) => {
    const shown = rows.filter((row) => !row.element.hidden).length;
    status.textContent = `${shown} of ${rows.length} rows${words}`;
  };

  const sortBy = (column) => {
    const head = heads[column];
    const first = head.classList.contains("number") ? "descending" : "ascending";
    const second = first === "descending" ? "ascending" : "descending";
    const order = head.getAttribute("aria-sort") === first ? second : first;
    const sign = order === "ascending" ? 1 : -1;
    rows.sort((one, other) => {
      const a = one.keys[column];
      const b = other.keys[column];
      if (a === null || b === null) return (a === null) - (b === null); // unknown always last
      return sign * (a - b);
    });
    heads.forEach((cell) => cell.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    body.append(...rows.map((row) => row.element));
    announce(`, by ${head.textContent.trim().toLowerCase()}, ${order}`);
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sortBy(column));
    head.append(button);
  });

  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    rows.forEach((row) => { row.element.hidden = !row.text.includes(wanted); });
    announce("");
  });
  document.getElementById("filter-box").hidden = false;
  announce("");
})();
