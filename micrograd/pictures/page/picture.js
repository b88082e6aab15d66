// The picture of the graph: Python drew it, here its texts and classes follow the state of the page.

const makePicture = (svg, graph) => {
  const { nodes, proxies, edges } = readPicture(svg, graph);

  const drawNode = (id, { pass, step, inputs }) => {
    const part = nodes[id];
    const { known, arrived, awaited, complete } = gradientAt(graph, pass, id, step);
    const value = valueText(graph, pass, id, step);
    setText(part.data, `data ${value}`);
    setText(part.grad, `grad ${gradientText(graph, pass, id, step)}`);
    const isPartial = known && !complete;
    if (awaited > 1) setText(part.uses, isPartial ? `${arrived} of ${awaited} shares` : `used ${awaited} times`);
    for (const proxy of proxies[id]) setText(proxy.data, value);
    const isChanged = inputs !== graph.data && !Object.is(inputs[id], graph.data[id]);
    const look = { waiting: !isComputed(graph, id, step), partial: isPartial, changed: isChanged };
    setLook(part, Object.keys(look).filter((name) => look[name]));
  };

  const drawEdge = (edge, { pass, step }) => {
    const part = edges[edge];
    const share = pass.share[edge];
    const isKnown = graph.addedAt[edge] <= step;
    const isReady = isComputed(graph, graph.consumer[edge], step);
    const sign = isKnown ? signOf(share) : "unknown";
    setText(part.local, isReady ? `× ${formatNumber(pass.local[edge], graph.digits)}` : "");
    setText(part.share, isKnown ? `${GLYPHS[sign]} ${formatNumber(share, graph.digits)}` : "");
    setWidth(part, isKnown ? widthOf(share, pass.largestShare) : "1");
    setLook(part, [sign]);
  };

  const drawAll = (state) => {
    for (let id = 0; id < graph.size; id++) drawNode(id, state);
    for (let edge = 0; edge < graph.edgeCount; edge++) drawEdge(edge, state);
  };

  // Only what the steps between two states touch.
  const drawBetween = (from, to, state) => {
    const touchedNodes = new Set();
    const touchedEdges = new Set();
    for (let step = Math.min(from, to) + 1; step <= Math.max(from, to); step++) {
      const { kind, node, edge } = eventAt(graph, step);
      touchedNodes.add(node);
      if (kind === "forward") for (const incoming of graph.operandEdges(node)) touchedEdges.add(incoming);
      if (kind === "backward") touchedEdges.add(edge);
    }
    for (const id of touchedNodes) drawNode(id, state);
    for (const edge of touchedEdges) drawEdge(edge, state);
  };

  const mark = (id, name, isOn) => {
    for (const { group } of [nodes[id], ...proxies[id]]) group.classList.toggle(name, isOn);
  };

  const markCurrent = (step, isOn) => {
    const { node, edge } = eventAt(graph, step);
    if (node >= 0) mark(node, "current", isOn);
    if (edge >= 0) edges[edge].group.classList.toggle("current", isOn);
  };

  const markSelected = (id, isOn) => {
    if (id === null) return;
    mark(id, "selected", isOn);
    if (isOn) nodes[id].group.setAttribute("aria-current", "true");
    else nodes[id].group.removeAttribute("aria-current");
    for (const edge of graph.uses(id)) edges[edge].group.classList.toggle("use", isOn);
  };

  // Show only a set of nodes; null shows all.
  const fade = (near) => {
    const isFar = (id) => near !== null && !near.has(id);
    for (let id = 0; id < graph.size; id++) mark(id, "faded", isFar(id));
    edges.forEach(({ group }, edge) => {
      group.classList.toggle("faded", isFar(graph.operand[edge]) || isFar(graph.consumer[edge]));
    });
  };

  const render = (state, before) => {
    if (state.pass !== before.pass) drawAll(state);
    else if (state.step !== before.step) drawBetween(before.step, state.step, state);
    if (state.step !== before.step) {
      markCurrent(before.step, false);
      markCurrent(state.step, true);
    }
    if (state.selected !== before.selected) {
      markSelected(before.selected, false);
      markSelected(state.selected, true);
    }
    if (state.near !== before.near) fade(state.near);
    if (state.hits !== before.hits) {
      for (const id of before.hits) mark(id, "hit", false);
      for (const id of state.hits) mark(id, "hit", true);
    }
  };

  const boxOf = (id) => {
    const read = (name) => Number(nodes[id].rect.getAttribute(name));
    return { x: read("x"), y: read("y"), width: read("width"), height: read("height") };
  };

  return { svg, nodes, edges, render, boxOf };
};
