// Scopes that collapse in place: what is inside hides, and a box with the scope's name covers its rectangle.

// As people sort them: layer2 before layer10, and a scope before those inside of it.
const byPath = (a, b) => {
  const [first, second] = [a.split("/"), b.split("/")];
  const at = first.findIndex((part, i) => part !== second[i]);
  if (at < 0 || at >= second.length) return first.length - second.length;
  return first[at].localeCompare(second[at], "en", { numeric: true }) || (first[at] < second[at] ? -1 : 1);
};

// The scopes of the graph, what is in them, and which of them are around each node.
const readScopes = (graph) => {
  const scopes = new Map();
  const withAncestors = (path) => {
    const parts = path ? path.split("/") : [];
    return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
  };
  const around = graph.nodes.map((node) => withAncestors(node.scope)); // of each node, outermost first
  around.forEach((paths, id) => {
    for (const path of paths) {
      if (!scopes.has(path)) scopes.set(path, { nodes: [], entering: 0, leaving: 0 });
      scopes.get(path).nodes.push(id);
    }
  });
  for (let edge = 0; edge < graph.edgeCount; edge++) {
    const from = around[graph.operand[edge]];
    const to = around[graph.consumer[edge]];
    for (const path of to) if (!from.includes(path)) scopes.get(path).entering += 1;
    for (const path of from) if (!to.includes(path)) scopes.get(path).leaving += 1;
  }
  return { scopes, paths: [...scopes.keys()].sort(byPath), around };
};

// The outermost collapsed scope around a node, or nothing.
const coverOf = ({ around }, id, collapsed) => around[id].find((path) => collapsed.has(path));

const scopeWords = ({ nodes, entering, leaving }) =>
  `${plural(nodes.length, "node")}, ${plural(entering, "edge")} in, ${leaving} out`;

const makeFolding = (picture, graph, scoping) => {
  const groups = new Map();
  for (const group of picture.svg.querySelectorAll("g.scope")) groups.set(group.dataset.scope, group);
  const layer = svgElement("g", { class: "covers" });
  if (groups.size > 0) [...groups.values()][0].parentNode.append(layer); // above everything else
  const covers = new Map();

  const numbers = (rect) => ["x", "y", "width", "height"].map((name) => Number(rect.getAttribute(name)));

  // Letters as large as the box has room for: a collapsed scope is read from afar.
  const makeCover = (path) => {
    const rect = groups.get(path).querySelector("rect");
    const [x, y, width, height] = numbers(rect);
    const scope = scoping.scopes.get(path);
    const name = tame(shorten(path.split("/").pop(), NAME_LENGTH));
    const edges = `${plural(scope.entering, "edge")} in, ${scope.leaving} out`;
    const lines = [name, plural(scope.nodes.length, "node"), edges];
    const longest = Math.max(...lines.map((line) => line.length));
    const font = Math.max(12, Math.min(width / longest / 0.7, height / 6));
    const label = `${tame(path)}, collapsed: ${scopeWords(scope)}`;
    const attributes = { role: "button", tabindex: "-1", "aria-expanded": "false", "aria-label": label };
    const cover = svgElement("g", { class: "cover", "data-scope": path, ...attributes });
    cover.append(rect.cloneNode());
    lines.forEach((line, i) => {
      const place = { x: x + width / 2, y: y + height / 2 + (i - 0.7) * font * 1.3 };
      const text = svgElement("text", { ...place, class: i ? "count" : "name" }, line);
      text.style.fontSize = `${i ? font * 0.8 : font}px`;
      cover.append(text);
    });
    layer.append(cover);
    return cover;
  };

  const hide = (target, isHidden) => target && target.classList.toggle("hidden", isHidden);

  const markCurrent = ({ step, collapsed }) => {
    const { node } = eventAt(graph, step);
    const path = node < 0 ? undefined : coverOf(scoping, node, collapsed);
    for (const [other, cover] of covers) cover.classList.toggle("current", other === path);
  };

  const render = (state, before) => {
    if (state.collapsed !== before.collapsed) fold(state);
    if (covers.size > 0) markCurrent(state);
  };

  const fold = ({ collapsed }) => {
    const cover = graph.nodes.map((_, id) => coverOf(scoping, id, collapsed));
    picture.nodes.forEach(({ group }, id) => hide(group, cover[id] !== undefined));
    picture.edges.forEach(({ group }, edge) => {
      const [from, to] = [cover[graph.operand[edge]], cover[graph.consumer[edge]]];
      hide(group, from !== undefined && from === to);
    });
    for (const [path, group] of groups) {
      const isInside = [...collapsed].some((outer) => path.startsWith(`${outer}/`));
      hide(group, isInside || collapsed.has(path));
      const isShown = collapsed.has(path) && !isInside;
      if (isShown && !covers.has(path)) covers.set(path, makeCover(path));
      hide(covers.get(path), !isShown);
    }
  };

  return { render, focusCover: (path) => covers.get(path).focus({ preventScroll: true }) };
};

// The list of scopes in the panel, indented like a tree.
const makeScopeList = (app, scoping) => {
  byId("scopes").hidden = scoping.paths.length === 0;
  const toggles = new Map();
  for (const path of scoping.paths) {
    const scope = scoping.scopes.get(path);
    const toggle = button("", () => app.toggleScope(path), { className: "scope-toggle" });
    const name = tame(path.split("/").pop());
    toggle.append(
      element("span", { className: "scope-name" }, name),
      element("span", { className: "quiet" }, scopeWords(scope)),
    );
    toggle.style.marginInlineStart = `${path.split("/").length - 1}rem`;
    toggles.set(path, toggle);
    byId("scope-list").append(element("li", {}, toggle));
  }
  byId("collapse-all").addEventListener("click", () => app.setCollapsed(scoping.paths));
  byId("expand-all").addEventListener("click", () => app.setCollapsed([]));

  const render = (state, before) => {
    if (state.collapsed === before.collapsed) return;
    for (const [path, toggle] of toggles) toggle.setAttribute("aria-expanded", String(!state.collapsed.has(path)));
  };
  return { render };
};
