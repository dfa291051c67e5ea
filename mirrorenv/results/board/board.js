"use strict";
// Sorting, filtering and downloading. Text from results only ever becomes textContent.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const PAGE = matchMedia("(max-width: 760px)").matches ? 10 : 200;  // cards are long
  const world = document.getElementById("world");
  const agents = document.getElementById("agents");
  const search = document.getElementById("search");
  const status = document.getElementById("status");
  const states = data.sections.map((section, index) => ({
    section, body: document.getElementById(`body${index}`), more: document.getElementById(`more${index}`),
    order: section.lines.map((_, line) => line), most: PAGE, column: -1, up: true,
  }));

  const node = (tag, text, css) => {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    if (css) made.className = css;
    return made;
  };
  const named = (head, inside, css) => {  // on a narrow screen the head stands beside the cell
    const made = node("td", "", css);
    made.dataset.head = head;
    made.append(inside);
    return made;
  };
  const broken = (text) => {  // a narrow column breaks after a slash or a word rather than within a word
    const inside = node("span");
    for (const word of text.replaceAll("/", "/ ").split(" ")) {
      inside.append(node("span", word, "whole"), word.endsWith("/") ? "" : " ");
    }
    return named("World", inside, "world");
  };
  const figure = (cell, head) => {
    if (!cell) return named(head, node("span", "–"), "none");
    const inside = node("span");
    inside.append(cell.text[0]);
    if (cell.text[1]) inside.append(" ", node("span", cell.text[1], "span"));
    if (cell.note) inside.append(node("small", cell.note));
    return named(head, inside);
  };
  const row = (section) => (line) => {
    const made = node("tr"), head = node("th", line.condition);
    head.scope = "row";
    for (const [words, address] of line.links) {
      const link = node("a", words);
      link.href = address;
      head.append(link);
    }
    made.append(head, broken(line.world), ...line.cells.map((cell, index) => figure(cell, section.figures[index])),
      line.group === null ? named("Group", node("span", "–"), "none") : named("Group", node("span", String(line.group))),
      named("Seeds", node("span", line.count), "count"), named("Agents", node("span", line.agents), "agents"),
      named("Proved", node("span", line.proved), "agents"));
    return made;
  };
  const wanted = (section) => (line) => (!world.value || line.world === world.value) &&
    (!agents.value || line.agents === agents.value) &&
    (!search.value || [line.condition, line.world, line.agents, section.title].join(" ").toLowerCase()
      .includes(search.value.toLowerCase()));
  const inOrder = (state) => state.order.map((index) => state.section.lines[index]).filter(wanted(state.section));

  const show = (state) => {
    const lines = inOrder(state);
    state.body.closest("section").hidden = !lines.length;  // the heads of empty tables tell nothing
    state.body.replaceChildren(...lines.slice(0, state.most).map(row(state.section)));
    const rest = lines.length - state.most;
    state.more.hidden = rest <= 0;
    state.more.textContent = `Show ${Math.min(rest, PAGE)} more of ${rest}`;
    return lines.length;
  };
  const refresh = () => {
    const found = states.reduce((sum, state) => sum + show(state), 0);
    status.textContent = `${found} of ${data.total} lines`;
  };
  const key = (line, column) => {
    const [first, last] = [2, 2 + line.cells.length];  // the figures
    if (column < first) return [line.condition, line.world][column].toLowerCase();
    if (column >= last) return [line.group, line.seeds, line.agents.toLowerCase(), line.level][column - last];
    return line.cells[column - first] ? line.cells[column - first].value : null;
  };
  const sort = (state, column, head) => {
    const numbers = column >= 2 && column < 2 + state.section.figures.length;
    state.up = state.column === column ? !state.up : !numbers;  // numbers from the highest, words from A
    state.column = column;
    const sign = state.up ? 1 : -1, lines = state.section.lines;
    state.order.sort((one, other) => {
      const a = key(lines[one], column), b = key(lines[other], column);
      if (a === null || b === null) return (a === null) - (b === null) || one - other;  // nothing goes last, both ways
      return a < b ? -sign : a > b ? sign : one - other;
    });
    for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", state.up ? "ascending" : "descending");
    show(state);
  };
  const save = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  // A text that a spreadsheet would take for a formula is quoted by an apostrophe.
  const quoted = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    return '"' + (/^[=+\-@\t\r]/.test(value) ? "'" : "") + value.replaceAll('"', '""') + '"';
  };
  const long = () => states.flatMap((state) => inOrder(state).flatMap((line) =>
    line.cells.flatMap((cell, index) => cell ? [{
      section: state.section.title, world: line.world, condition: line.condition, agents: line.agents, seeds: line.seeds,
      group: line.group, figure: state.section.figures[index], value: cell.value, low: cell.low, high: cell.high,
      interval_over: cell.over, proved: line.proved, n: cell.n, reference: cell.reference, source: cell.source }] : [])));

  states.forEach((state, index) => {
    const heads = document.querySelectorAll(`#table${index} thead th`);
    heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => sort(state, column, head)));
    state.more.addEventListener("click", () => { state.most += PAGE; show(state); });
  });
  for (const control of [world, agents]) control.addEventListener("change", refresh);
  search.addEventListener("input", refresh);
  document.getElementById("json").addEventListener("click", () =>
    save("board.json", "application/json", JSON.stringify(long(), null, 1)));
  document.getElementById("csv").addEventListener("click", () => {
    const rows = long(), names = Object.keys(rows[0] || { section: "" });
    save("board.csv", "text/csv", [names.join(","), ...rows.map((one) => names.map((name) => quoted(one[name])).join(","))]
      .join("\r\n") + "\r\n");
  });
  document.getElementById("controls").hidden = false;
  refresh();
})();
