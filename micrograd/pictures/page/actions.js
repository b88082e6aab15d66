// What a reader can do to the page, whichever button, key or click asks for it.

const HOPS = [0, 1, 2, 3, 5]; // 0 is the whole graph

// With the largest share, beside which the widths of arrows are drawn.
const measured = (pass) => {
  const sizes = pass.share.filter(Number.isFinite).map(Math.abs);
  return { ...pass, largestShare: sizes.reduce((a, b) => Math.max(a, b), 0) };
};

const makeActions = (graph, scripts, scoping, store) => {
  const { state, change } = store;
  const recorded = state().pass;
  const app = { state, change };

  // The live region: polite, so it waits for a pause of whoever reads the page aloud.
  app.say = (words) => setText(byId("status"), words);

  const setInputs = (inputs) => {
    const isOriginal = graph.leaves.every((id) => Object.is(inputs[id], graph.data[id]));
    const pass = isOriginal ? recorded : measured(computedPass(graph, scripts, inputs));
    change({ inputs, isOriginal, pass });
  };

  app.setInput = (id, value) => {
    const inputs = Float64Array.from(state().inputs);
    inputs[id] = value;
    setInputs(inputs);
  };

  app.resetInputs = () => {
    setInputs(graph.data);
    app.say("The inputs have Python's values again.");
  };

  app.setCollapsed = (paths) => change({ collapsed: new Set(paths) });

  // Expand what hides a node.
  app.reveal = (id) => {
    const { collapsed } = state();
    const around = scoping.around[id];
    if (!around.some((path) => collapsed.has(path))) return;
    app.setCollapsed([...collapsed].filter((path) => !around.includes(path)));
  };

  app.toggleScope = (path) => {
    const { collapsed } = state();
    const isCollapsed = collapsed.has(path);
    app.setCollapsed(isCollapsed ? [...collapsed].filter((other) => other !== path) : [...collapsed, path]);
    app.say(`${tame(path)} ${isCollapsed ? "expanded" : "collapsed"}: ${scopeWords(scoping.scopes.get(path))}`);
  };

  app.select = (id) => {
    if (id !== null) app.reveal(id);
    change({ selected: id });
    app.say(id === null ? "Nothing is selected." : `Selected: ${describeNode(graph, state().pass, id, state().step)}`);
  };

  app.setHops = (hops) => {
    change({ hops });
    if (state().selected === null && hops > 0) app.say("Select a node to see its neighbours.");
  };

  app.nextHops = () => app.setHops(HOPS[(HOPS.indexOf(state().hops) + 1) % HOPS.length]);

  app.showWhy = () => {
    if (byId("why")) byId("why").focus();
    else app.say("Select a node first.");
  };

  return app;
};

// Actions that depend on where the focus is in the graph.
const makeActionsHere = (app, graph, scoping, focus, folding) => {
  // Expand a scope and go to what is first in it: a node, or a scope that is collapsed itself.
  const enterScope = (path) => {
    app.toggleScope(path);
    const [first] = scoping.scopes.get(path).nodes;
    const inner = coverOf(scoping, first, app.state().collapsed);
    if (inner === undefined) focus.toNode(first);
    else folding.focusCover(inner);
  };

  // On a collapsed scope that one, else the scope of the focused or selected node. The focus stays in the graph.
  const toggleScope = () => {
    const cover = document.activeElement.closest("g.cover");
    if (cover) {
      enterScope(cover.dataset.scope);
      return;
    }
    const id = focus.focused() === null ? app.state().selected : focus.focused();
    const path = id === null ? "" : coverOf(scoping, id, app.state().collapsed) || graph.nodes[id].scope;
    if (!path) {
      app.say(id === null ? "Select a node first." : "This node is in no scope.");
      return;
    }
    const wasInside = focus.isInside();
    app.toggleScope(path);
    if (wasInside) folding.focusCover(path);
  };

  const activate = () => {
    if (focus.focused() === null) toggleScope();
    else app.select(focus.focused());
  };

  return { toggleScope, activate };
};
