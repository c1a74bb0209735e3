"use strict";
(() => {
  const find = (what, within = document) => within.querySelector(what);
  const all = (what, within = document) => [...within.querySelectorAll(what)];
  const form = find("#filters");
  const dialog = find("#detail");
  const heads = all("#matrix thead th").slice(1);
  const names = heads.map((head) => head.textContent.toLowerCase());
  const backends = all("[name=backend] option").slice(1).map((o) => o.value);
  // Marks are matched to the checkboxes of outcomes by their class.
  const boxes = all("[name=status]");
  const kinds = new Map(boxes.map((box) =>
    [find("b", box.parentNode).className, box.value]));
  const rows = all("#matrix tbody tr").map((row) => ({
    row,
    name: find(".name", row).textContent.toLowerCase(),
    roles: row.dataset.roles.split(" "),
    cells: all("td", row).map((cell) => {
      const marks = all("b", cell);
      const alike = marks.length === 1;
      return {
        cell,
        link: find("a", cell),
        marks,
        statuses: marks.length ? backends.map((_, i) =>
          kinds.get(marks[alike ? 0 : i].className)) : [],
      };
    }),
  }));
  const links = new Map(rows.flatMap(({ row, cells }) => cells
    .map((c, column) => [c.link?.hash.slice(1), { ...c, row, column }])
    .filter(([hash]) => hash)));
  const total = rows.flatMap(({ cells }) =>
    cells.flatMap(({ statuses }) => statuses)).filter(Boolean).length;

  document.documentElement.classList.add("js");
  form.hidden = false;

  // Filters, stored in the URL.

  function filter() {
    const asked = new FormData(form);
    const [layer, check, role, level, backend] =
      ["layer", "check", "role", "level", "backend"].map((n) => asked.get(n).trim());
    const wanted = new Set(asked.getAll("status"));
    const columns = new Set();
    let layers = 0;
    let results = 0;
    for (const { row, name, roles, cells } of rows) {
      let hits = 0;
      const fits = name.includes(layer.toLowerCase()) && (!role || roles.includes(role));
      cells.forEach(({ cell, marks, statuses }, column) => {
        const here = statuses.filter((status, i) => status &&
          (!backend || backends[i] === backend) && (!wanted.size || wanted.has(status)));
        const hit = fits && here.length > 0 &&
          names[column].includes(check.toLowerCase()) &&
          (!level || heads[column].dataset.level === level);
        if (hit) {
          columns.add(column);
          hits += here.length;
        }
        cell.classList.toggle("miss", !hit);
        // Phones show passes only on request.
        cell.classList.toggle("quiet", !hit || (!wanted.size &&
          here.every((status) => ["pass", "n/a", "blocked"].includes(status))));
        if (marks.length > 1) {
          marks.forEach((mark, i) => {
            mark.hidden = Boolean(backend) && backends[i] !== backend;
          });
        }
      });
      row.hidden = !hits;
      layers += hits > 0;
      results += hits;
    }
    heads.forEach((head, column) => { head.hidden = !columns.has(column); });
    for (const { cells } of rows) {
      cells.forEach(({ cell }, column) => { cell.hidden = !columns.has(column); });
    }
    find("#shown").textContent = `${results} of ${total} results, ` +
      `${layers} of ${rows.length} layers, ${columns.size} of ${heads.length} checks`;
    const query = new URLSearchParams([...asked].filter(([, value]) => value)).toString();
    address(query, location.hash);
    rove();
  }

  function address(query, hash) {
    history.replaceState(null, "", location.pathname + (query && `?${query}`) + hash);
  }

  function restore() {
    const query = new URLSearchParams(location.search);
    for (const field of form.elements) {
      if (field.type === "checkbox") {
        field.checked = query.getAll(field.name).includes(field.value);
      } else if (field.name) {
        field.value = query.get(field.name) ?? "";
        if (field.selectedIndex === -1) field.value = "";
      }
    }
  }

  form.addEventListener("input", filter);
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));

  // The matrix is one tab stop; arrow keys move between cells.

  let current;

  function rove(to) {
    const shown = (link) => link?.checkVisibility();
    if (current) current.tabIndex = -1;
    current = to ?? (shown(current) ? current : [...links.values()].map((c) => c.link).find(shown));
    if (current) current.tabIndex = 0;
  }

  find("#matrix").addEventListener("keydown", (event) => {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    const at = event.target.closest("td");
    if (!step || !at) return;
    event.preventDefault();
    let y = rows.findIndex(({ row }) => row === at.parentNode);
    let x = rows[y].cells.findIndex(({ cell }) => cell === at);
    let link;
    do {
      y += step[0];
      x += step[1];
      if (!rows[y]?.cells[x]) return;
      link = rows[y].cells[x].link;
    } while (!link?.checkVisibility());
    rove(link);
    link.focus();
  });

  find("#matrix").addEventListener("pointerover", (event) => {
    const link = event.target.closest("td a");
    if (link) link.title = find("span", link).textContent;
  });

  // Opens the cell or check that the URL names.

  let opener; // gets the focus back afterwards

  function open() {
    const id = decodeURIComponent(location.hash.slice(1));
    const cell = links.get(location.hash.slice(1));
    const entry = document.getElementById(id);
    const rule = cell ? document.getElementById(find("a", heads[cell.column]).hash.slice(1)) : entry;
    if (!rule?.closest("#rules")) {
      if (dialog.open) dialog.close();
      return;
    }
    const title = find("#what");
    title.replaceChildren(find("code", rule).textContent);
    const small = document.createElement("small");
    small.textContent = find("small", rule).textContent;
    title.append(small);
    const body = find("#body");
    if (cell) {
      small.textContent += ` · ${find(".name", cell.row).textContent}`;
      const lead = [];
      if (!entry || !find("dl", entry)) lead.push(...copies(rule).slice(0, 1));
      if (!entry || cell.marks.length > 1) {
        const line = document.createElement("p");
        line.textContent = find("span", cell.link).textContent;
        lead.push(line);
      }
      body.replaceChildren(...lead, ...(entry ? copies(entry) : []));
      for (const link of all("a.likely", body)) {
        link.replaceWith(...copies(find(".likely", rule) ?? rule, 0));
      }
      opener = cell.link;
      rove(opener);
    } else {
      opener = heads.map((head) => find("a", head)).find((a) => a.hash === location.hash);
      body.replaceChildren(...copies(rule));
    }
    for (const code of all("pre", body)) code.append(copier(code));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  }

  const copies = (node, from = 1) => [...node.cloneNode(true).children].slice(from);

  function copier(block) {
    const code = find("code", block);
    const button = document.createElement("button");
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
    });
    return button;
  }

  dialog.addEventListener("close", () => {
    address(location.search.slice(1), "");
    opener.focus();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  addEventListener("hashchange", open);
  addEventListener("popstate", () => { restore(); filter(); });

  for (const { link } of links.values()) link.tabIndex = -1;
  restore();
  filter();
  open();
})();
