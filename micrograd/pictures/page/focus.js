// The graph as one stop of the Tab key: inside of it, keys move the focus along the edges.

const makeFocus = (app, graph, picture, camera) => {
  const { svg, nodes } = picture;
  let stop = null; // the element that Tab reaches
  let siblings = [graph.root]; // where ArrowUp and ArrowDown go: the other ends of the edges that were followed

  const isVisible = (group) => !group.classList.contains("hidden");

  const setStop = (group) => {
    if (stop) stop.setAttribute("tabindex", "-1");
    stop = group;
    stop.setAttribute("tabindex", "0");
  };

  const idOf = (target) => (target.matches("g.node") ? Number(target.dataset.node) : null);

  const focused = () => idOf(document.activeElement);

  const moveTo = (id) => {
    app.reveal(id);
    camera.show(picture.boxOf(id));
    nodes[id].group.focus({ preventScroll: true });
  };

  // Go along the edges that the focused node has, to the first of their other ends.
  const follow = (edgesOf, endOf) => {
    const ends = focused() === null ? [] : Array.from(edgesOf(focused()), (edge) => endOf[edge]);
    if (ends.length === 0) return;
    siblings = [...new Set(ends)];
    moveTo(siblings[0]);
  };

  const moveAmong = (list, by) => {
    const at = list.indexOf(focused());
    if (list.length > 0) moveTo(list[at < 0 ? 0 : (at + by + list.length) % list.length]);
  };

  const everyNode = () => nodes.flatMap(({ group }, id) => (isVisible(group) ? [id] : []));

  // On the element around the SVG: a listener for focus would make the SVG itself a stop of the Tab key.
  svg.parentNode.addEventListener("focusin", (event) => {
    setStop(event.target);
    const id = idOf(event.target);
    if (id === null) return;
    if (!siblings.includes(id)) siblings = [id];
    label(app.state());
  });

  // Its texts name a node; the one that has the focus also says where it belongs.
  const label = ({ pass, step }) => {
    const id = focused();
    if (id !== null) nodes[id].group.setAttribute("aria-label", describeNode(graph, pass, id, step));
  };
  svg.parentNode.addEventListener("focusout", (event) => {
    if (idOf(event.target) !== null) event.target.removeAttribute("aria-label");
  });

  // The root at first; then what was selected or focused last, unless it has just been hidden.
  const render = (state, before) => {
    if (state.step !== before.step || state.pass !== before.pass) label(state);
    if (state.collapsed === before.collapsed && state.selected === before.selected) return;
    if (stop === null) setStop(nodes[graph.root].group);
    const isOther = state.selected !== before.selected && state.selected !== null;
    if (isOther && !svg.contains(document.activeElement)) setStop(nodes[state.selected].group);
    if (!isVisible(stop)) setStop([...svg.querySelectorAll("[role=button]")].find(isVisible));
  };

  return {
    focused,
    render,
    isInside: () => svg.contains(document.activeElement),
    toOperands: () => follow(graph.operandEdges, graph.operand),
    toUses: () => follow(graph.uses, graph.consumer),
    toSibling: (by) => moveAmong(siblings, by),
    toNext: (by) => moveAmong(everyNode(), by),
    toNode: moveTo,
  };
};
