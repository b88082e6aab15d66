// The one state of the page. What is seen is a function of it: at a change every part gets it, with the one before.

// The state of a page that shows nothing yet.
const BLANK = { pass: null, inputs: null, step: 0, selected: null, near: null, hits: [], collapsed: null };

const LARGE = 500; // nodes: from here on a graph with scopes opens collapsed

const openingState = (graph, pass, scoping) => ({
  pass, // values, derivatives and gradients
  inputs: graph.data, // the numbers of the leaves
  isOriginal: true, // whether these are Python's
  step: graph.lastStep,
  isPlaying: false,
  selected: null, // a node
  hops: 0, // how far from the selected node the graph is shown; 0 is all of it
  near: null, // the nodes within these hops
  hits: [], // of the search
  collapsed: new Set(graph.size > LARGE ? scoping.paths : []), // scopes
});

const makeStore = (graph, opening) => {
  let state = opening;
  const parts = [];

  const change = (changes) => {
    const before = state;
    state = { ...state, ...changes };
    if (state.selected !== before.selected || state.hops !== before.hops) {
      const isPart = state.selected !== null && state.hops > 0;
      state.near = isPart ? neighbourhood(graph, state.selected, state.hops) : null;
    }
    for (const { render } of parts) render(state, before);
  };

  const show = (newParts) => {
    parts.push(...newParts);
    for (const { render } of newParts) render(state, BLANK);
  };

  return { state: () => state, change, show };
};
