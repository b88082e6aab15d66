// All nodes as a table, for reading without the picture. Built when it is opened, a page of rows at a time.

const ROWS = 200;

const makeTable = (app, graph) => {
  const details = byId("table");
  const body = byId("table-body");
  let page = 0;
  let rows = [];

  const makeRow = (id) => {
    const { op, scope } = graph.nodes[id];
    const link = button(nameOf(graph, id), () => app.select(id), { className: "link" });
    const [value, gradient] = [element("td", { className: "number" }), element("td", { className: "number" })];
    const name = element("th", { scope: "row" }, link);
    const [operation, place] = [op || "leaf", tame(scope)].map((text) => element("td", {}, text));
    const row = element("tr", {}, name, operation, value, gradient, place);
    const refresh = ({ pass, step }) => {
      setText(value, valueText(graph, pass, id, step));
      setText(gradient, gradientText(graph, pass, id, step));
    };
    return { id, row, refresh };
  };

  const markSelected = ({ selected }) => {
    for (const { id, row } of rows) row.classList.toggle("selected", id === selected);
  };

  const build = () => {
    const from = page * ROWS;
    const until = Math.min(graph.size, from + ROWS);
    rows = Array.from({ length: until - from }, (_, i) => makeRow(from + i));
    for (const { refresh } of rows) refresh(app.state());
    body.replaceChildren(...rows.map(({ row }) => row));
    markSelected(app.state());
    byId("table-pages").hidden = graph.size <= ROWS;
    setText(byId("table-range"), `Rows ${from + 1} to ${until} of ${graph.size}`);
    byId("previous-rows").setAttribute("aria-disabled", String(page === 0));
    byId("next-rows").setAttribute("aria-disabled", String(until === graph.size));
  };

  const turn = (by) => {
    const last = Math.ceil(graph.size / ROWS) - 1;
    page = Math.min(last, Math.max(0, page + by));
    build();
    app.say(byId("table-range").textContent);
  };
  byId("previous-rows").addEventListener("click", () => turn(-1));
  byId("next-rows").addEventListener("click", () => turn(1));
  details.addEventListener("toggle", () => details.open && build());

  const render = (state, before) => {
    if (!details.open) return;
    if (state.step !== before.step || state.pass !== before.pass) for (const { refresh } of rows) refresh(state);
    if (state.selected !== before.selected) markSelected(state);
  };
  return { render, toggle: () => (details.open = !details.open) };
};
