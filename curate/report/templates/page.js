"use strict";
(() => {
  const make = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };

  // ---- words: every one must occur; a number only as a whole; "class 3" asks one column
  const tokensOf = (text) => text.toLowerCase().match(/\d+|[^\d\s]+/gu) || [];
  const wordsOf = (text) => text.toLowerCase().split(/\s+/u).filter(Boolean);
  const occurs = (word, text, tokens) => {
    if (!/^\d+$/.test(word)) return text.includes(word);
    return tokens.some((token) => /^\d+$/.test(token) && Number(token) === Number(word));
  };
  const searchable = (row, heads) => {
    const cells = Array.from(row.cells, (cell, column) => {
      const text = cell.textContent.trim().toLowerCase();
      const numeric = cell.classList.contains("number");
      return { head: heads[column], text, tokens: tokensOf(text), numeric };
    });
    return (words) => {
      for (let at = 0; at < words.length; at += 1) {
        const next = words[at + 1];
        const named = cells.find((cell) => cell.head === words[at]);
        if (named && next !== undefined) {
          if (!occurs(next, named.text, named.tokens)) return false;
          at += 1;
        } else if (!cells.some((cell) => !cell.numeric && occurs(words[at], cell.text, cell.tokens))) {
          return false;
        }
      }
      return true;
    };
  };

  // ---- sorting: a button in every heading
  // "1,234", "56.7%", "0.12 to 0.34", "1e-5": the first number of a cell, else its text
  const keyOf = (cell) => {
    const text = cell.textContent.trim();
    const found = text.replace(/,(?=\d{3})/g, "").replace("\u2212", "-").match(/^[-+]?\d+(\.\d+)?(e[-+]?\d+)?/i);
    return found ? Number(found[0]) : text.toLowerCase() || null;
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a < b ? -1 : a > b ? 1 : 0;
  };
  const sortable = (table, key, done) => {
    const body = table.tBodies[0];
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, column) => {
      if (head.classList.contains("plain")) return;
      const button = make("button", { type: "button", className: "sort" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const first = head.classList.contains("number") ? "descending" : "ascending";
        const second = first === "descending" ? "ascending" : "descending";
        const order = head.getAttribute("aria-sort") === first ? second : first;
        const sign = order === "ascending" ? 1 : -1;
        const rows = Array.from(body.rows, (row) => ({ row, key: key(row, column) }));
        rows.sort((one, other) => {
          if (one.key === null || other.key === null) return (one.key === null) - (other.key === null);
          return sign * compare(one.key, other.key); // what is not known is always last
        });
        heads.forEach((cell) => cell.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", order);
        body.append(...rows.map((entry) => entry.row));
        done(`, by ${head.textContent.trim().toLowerCase()}, ${order}`);
      });
    });
  };

  document.querySelectorAll("table.sortable").forEach((table) => {
    const rows = Array.from(table.tBodies[0].rows);
    if (rows.length < 2) return;
    sortable(table, (row, column) => keyOf(row.cells[column]), () => {});
    if (rows.length <= 12) return;
    const heads = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent.trim().toLowerCase());
    const tests = rows.map((row) => searchable(row, heads));
    const status = make("output", {});
    const input = make("input", { type: "search", placeholder: "words", autocomplete: "off" });
    input.addEventListener("input", () => {
      const words = wordsOf(input.value);
      rows.forEach((row, at) => { row.hidden = !tests[at](words); });
      status.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
    });
    const box = make("div", { className: "filter" }, make("label", {}, "Filter ", input), status);
    const place = table.closest(".box") || table;
    place.before(box);
  });

  // ---- ids: a click copies
  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea", { value: text, className: "away" });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };

  // ---- the examples: cards and rows are filtered and selected together
  const table = document.getElementById("examples");
  if (table) {
    const keys = JSON.parse(document.getElementById("sort-keys").textContent);
    const by = (id) => document.getElementById(id);
    const heads = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent.trim().toLowerCase());
    const rows = Array.from(table.tBodies[0].rows);
    const ids = rows.map((row) => row.dataset.id || null);
    const place = new Map(rows.map((row, at) => [row, at]));
    const tests = rows.map((row) => searchable(row, heads));
    const cards = rows.map(() => []);
    document.querySelectorAll(".gallery li[data-row]").forEach((card) => {
      cards[Number(card.dataset.row)].push(card);
    });
    const groups = Array.from(document.querySelectorAll(".group"));
    const facets = Array.from(document.querySelectorAll("select.facet"));
    const chosen = new Set();
    const boxes = rows.map(() => []);
    let more = "";

    const announce = () => {
      const shown = rows.filter((row) => !row.hidden).length;
      const picked = chosen.size ? `; ${chosen.size} selected` : "";
      by("shown").textContent = `${shown} of ${rows.length} examples${picked}${more}`;
    };
    const choose = (at, on) => {
      if (on) chosen.add(at); else chosen.delete(at);
      boxes[at].forEach((box) => { box.checked = on; });
      [rows[at], ...cards[at]].forEach((element) => { element.classList.toggle("chosen", on); });
    };
    const tick = (at) => {
      const box = make("input", { type: "checkbox", className: "pick" });
      box.setAttribute("aria-label", `Select example ${rows[at].cells[0].textContent.trim().slice(0, 80)}`);
      box.addEventListener("change", () => { choose(at, box.checked); more = ""; announce(); });
      boxes[at].push(box);
      return box;
    };
    rows.forEach((row, at) => {
      row.cells[0].prepend(tick(at));
      cards[at].forEach((card) => card.prepend(tick(at)));
    });

    const filter = () => {
      const words = wordsOf(by("words").value);
      const column = Number(by("column").value);
      const [low, high] = ["low", "high"].map((id) => by(id).value);
      rows.forEach((row, at) => {
        const number = keys[at][column];
        const within = (low === "" && high === "") || (number !== null
          && (low === "" || number >= Number(low)) && (high === "" || number <= Number(high)));
        const fits = facets.every((facet) => facet.value === ""
          || `=${row.cells[Number(facet.dataset.column)].textContent.trim()}` === facet.value.trimEnd());
        row.hidden = !(within && fits && tests[at](words));
        cards[at].forEach((card) => { card.hidden = row.hidden; });
      });
      groups.forEach((group) => {
        const all = group.querySelectorAll("li[data-row]");
        const none = all.length > 0 && Array.from(all).every((card) => card.hidden);
        group.classList.toggle("none", none);
      });
      more = "";
      announce();
    };
    const reset = () => {
      ["words", "low", "high"].forEach((id) => { by(id).value = ""; });
      facets.forEach((facet) => { facet.value = ""; });
      filter();
    };
    by("tools").addEventListener("input", filter);
    by("reset").addEventListener("click", reset);
    by("select").addEventListener("click", () => {
      rows.forEach((row, at) => { if (!row.hidden) choose(at, true); });
      announce();
    });
    by("unselect").addEventListener("click", () => {
      [...chosen].forEach((at) => choose(at, false));
      announce();
    });

    // what is selected, else what is shown; ids as JSON, so that numbers stay numbers
    const wanted = () => {
      const places = Array.from(table.tBodies[0].rows, (row) => place.get(row));
      const taken = places.filter((at) => (chosen.size ? chosen.has(at) : !rows[at].hidden));
      const known = taken.filter((at) => ids[at] !== null);
      const lost = taken.length - known.length;
      return { found: known.map((at) => ids[at]), lost: lost ? `, ${lost} too long to keep left out` : "" };
    };
    by("copy").addEventListener("click", async () => {
      const { found, lost } = wanted();
      const lines = found.map((id) => {
        const value = JSON.parse(id);
        if (typeof value === "number") return id;
        return typeof value === "string" && !/[\n\r"]/.test(value) ? value : id;
      });
      await copied(lines.join("\n"));
      more = `; ${found.length} ids copied${lost}`;
      announce();
    });
    by("save").addEventListener("click", () => {
      const { found, lost } = wanted();
      const file = new Blob([`[${found.join(",\n ")}]\n`], { type: "application/json" });
      const link = make("a", { href: URL.createObjectURL(file), download: "ids.json" });
      document.body.append(link);
      link.click();
      link.remove();
      more = `; ${found.length} ids saved as ids.json${lost}`;
      announce();
    });

    sortable(table, (row, column) => keys[place.get(row)][column], (words) => { more = words; announce(); });

    // a link to what is folded or filtered away shows it
    const reveal = (hash) => {
      const goal = hash.length > 1 && document.getElementById(decodeURIComponent(hash.slice(1)));
      if (!goal) return;
      if (goal.hidden) reset();
      const group = goal.closest("details");
      if (group) group.open = true;
    };
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a[href^='#']");
      if (link) reveal(link.getAttribute("href"));
      const id = event.target.closest(".gallery .id, #examples .id");
      if (id) {
        copied(id.textContent);
        more = "; id copied";
        announce();
      }
    });
    reveal(location.hash);
    by("tools").hidden = false;
    filter();
  }
})();
