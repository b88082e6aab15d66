// The panel about the selected node: how its value came about, why its gradient is what it is, and what a nudge does.

const FIRST_LINES = 12;
const NUDGES = [1, 0.1, 0.01, 0.001, 0.0001, 0.000001];
const USUAL_NUDGE = 0.001;

// A part of the panel is { content, refresh }: elements, and how they follow the state.

const fixed = (...content) => ({ content, refresh: () => {} });

const paragraph = (write) => {
  const made = element("p", { className: "formula" });
  return { content: [made], refresh: (state) => setText(made, write(state)) };
};

// Lines that select a node each: the first ones, and a button for the others. lineOf(i) gives { id, write }.
const makeLines = (app, count, lineOf) => {
  const list = element("ul", { className: "lines" });
  const refreshers = [];
  const add = (until) => {
    while (refreshers.length < until) {
      const { id, write } = lineOf(refreshers.length);
      const link = button(write(app.state()), () => app.select(id), { className: "link" });
      list.append(element("li", {}, link));
      refreshers.push((state) => setText(link, write(state)));
    }
  };
  const all = button(`Show all ${count}`, () => {
    add(count);
    all.remove();
    list.children[FIRST_LINES].firstChild.focus(); // the first of those that came
  });
  add(Math.min(count, FIRST_LINES));
  return {
    content: count > FIRST_LINES ? [list, all] : [list],
    refresh: (state) => refreshers.forEach((refresh) => refresh(state)),
  };
};

const factsPart = (graph, id) => {
  const { op, scope } = graph.nodes[id];
  const words = [op ? `operation ${op}` : "input", id === graph.root ? "root" : "", scope ? `in ${tame(scope)}` : ""];
  return fixed(element("p", { className: "quiet" }, words.filter(Boolean).join(", ")));
};

const valueParts = (app, graph, id) => {
  const edges = graph.operandEdges(id);
  const { frozen } = graph.nodes[id];
  const reason = `Frozen: it keeps Python's value and derivatives. ${tame(frozen)}`;
  return [
    fixed(element("h3", {}, "Value")),
    paragraph(({ pass, step }) => valueFormula(graph, pass, id, step)),
    frozen ? fixed(element("p", { className: "notice" }, reason)) : fixed(),
    makeLines(app, edges.length, (i) => ({
      id: graph.operand[edges[i]],
      write: ({ pass, step }) => operandWords(graph, pass, edges[i], step),
    })),
  ];
};

const whyParts = (app, graph, id) => {
  const uses = graph.uses(id);
  const each = uses.length === 1 ? "its only use" : `each of its ${uses.length} uses`;
  const explanation =
    id === graph.root
      ? "The backward pass starts here: the derivative of the root by itself is 1."
      : `Local derivative × incoming gradient, one term for ${each}.`;
  return [
    fixed(element("h3", { id: "why", tabIndex: -1 }, "Why this gradient?")),
    paragraph(({ pass, step }) => gradientFormula(graph, pass, id, step)),
    fixed(element("p", { className: "quiet" }, explanation)),
    makeLines(app, uses.length, (i) => ({
      id: graph.consumer[uses[i]],
      write: ({ pass, step }) => useWords(graph, pass, uses[i], step),
    })),
  ];
};

const changePart = (app, graph, id) => {
  const { control, refresh } = makeInputControl(app, graph, id, { isLinked: false });
  const reset = button("Reset this input", () => app.setInput(id, graph.data[id]));
  return { content: [element("h3", {}, "Change it"), control, reset], refresh };
};

const nudgePart = (app, graph, scripts, id, kept) => {
  const choice = element("select", { id: "nudge" });
  for (const h of NUDGES) {
    choice.append(element("option", { value: String(h), selected: h === kept.h }, formatNumber(h, graph.digits)));
  }
  const { content, refresh } = paragraph(({ pass, inputs }) => nudgeWords(graph, scripts, pass, inputs, id, kept.h));
  choice.addEventListener("change", () => {
    kept.h = Number(choice.value);
    refresh(app.state());
  });
  const label = element("label", { htmlFor: "nudge" }, "h = ");
  const row = element("div", { className: "row" }, label, choice);
  return { content: [element("h3", {}, "Nudge by h"), row, ...content], refresh };
};

const makeSelection = (app, graph, scripts) => {
  const panel = byId("selected-body");
  const heading = byId("selected-heading");
  const invitation = fixed(...panel.children);
  const kept = { h: USUAL_NUDGE }; // from one selection to the next
  let parts = [];

  const partsOf = (id) => {
    if (id === null) return [invitation];
    const read = [factsPart(graph, id), ...valueParts(app, graph, id), ...whyParts(app, graph, id)];
    return graph.nodes[id].op ? read : [...read, changePart(app, graph, id), nudgePart(app, graph, scripts, id, kept)];
  };

  const build = (id) => {
    const hadFocus = panel.contains(document.activeElement);
    parts = partsOf(id);
    setText(heading, id === null ? "Selected node" : nameOf(graph, id));
    panel.replaceChildren(...parts.flatMap(({ content }) => content));
    byId("panel").scrollTop = 0;
    if (hadFocus) heading.focus(); // the link that had it is gone
  };

  const render = (state, before) => {
    const isOther = state.selected !== before.selected;
    if (isOther) build(state.selected);
    if (isOther || state.step !== before.step || state.pass !== before.pass) {
      for (const { refresh } of parts) refresh(state);
    }
  };

  return { render };
};
