// The page as a whole: reads the graph, makes the parts, and connects them.

// Say the words of a step that was taken by hand. While the pass plays, or on the slider, they would come too fast.
const makeAnnouncer = (app, graph) => ({
  render: (state, before) => {
    if (before === BLANK) return;
    const hasStepped = state.step !== before.step && !state.isPlaying && document.activeElement !== byId("scrub");
    const hasStopped = before.isPlaying && !state.isPlaying;
    if (hasStepped || hasStopped) app.say(stepWords(graph, state.pass, state.step));
  },
});

// Keep what has just been selected in view, and the node of the step where that is asked for.
const makeFollower = (graph, picture, camera) => {
  let last = -Infinity; // when it followed

  const follow = (node, isPlaying) => {
    const now = performance.now();
    if (isPlaying && now - last < FOLLOWING_PAUSE) return;
    if (camera.show(picture.boxOf(node))) last = now;
  };

  const render = (state, before) => {
    if (before === BLANK) return;
    const { node } = eventAt(graph, state.step);
    const hasMoved = state.step !== before.step || (before.isPlaying && !state.isPlaying);
    if (state.selected !== before.selected && state.selected !== null) {
      camera.show(picture.boxOf(state.selected), { readable: true });
    } else if (hasMoved && node >= 0 && byId("follow").checked) {
      follow(node, state.isPlaying);
    }
  };
  return { render };
};

const makeHops = (app) => {
  const select = byId("hops");
  select.addEventListener("change", () => app.setHops(Number(select.value)));
  return {
    render: ({ hops }) => {
      select.value = String(hops);
    },
  };
};

const connectPointer = (app, camera, pane) => {
  steerByPointer(camera, pane, (target) => {
    const hit = target.closest("g.node, g.cover, g.scope > text");
    if (!hit) return;
    if (hit.matches("g.node")) app.select(Number(hit.dataset.node));
    else app.toggleScope(hit.closest("[data-scope]").dataset.scope);
  });
  byId("zoom-in").addEventListener("click", () => camera.zoom(ZOOM_STEP));
  byId("zoom-out").addEventListener("click", () => camera.zoom(1 / ZOOM_STEP));
  byId("fit").addEventListener("click", camera.fit);
};

const connectTooltips = (svg, graph, store) => {
  makeTooltips(svg, ({ node, edge }) => {
    const { pass, step } = store.state();
    return edge === undefined
      ? describeNode(graph, pass, Number(node), step)
      : describeEdge(graph, pass, Number(edge), step);
  });
};

const showNotes = (notes) => {
  byId("notes").hidden = notes.length === 0;
  byId("note-list").append(...notes.map((note) => element("li", {}, tame(note))));
};

const startExplorer = () => {
  const graph = readGraph(JSON.parse(byId("micrograd-graph").textContent));
  const scoping = readScopes(graph);
  const store = makeStore(graph, openingState(graph, measured(recordedPass(graph)), scoping));
  const app = makeActions(graph, scripts, scoping, store);

  const pane = byId("graph");
  const svg = pane.querySelector("svg");
  const picture = makePicture(svg, graph);
  const camera = makeCamera(svg, pane);
  const folding = makeFolding(picture, graph, scoping);
  const focus = makeFocus(app, graph, picture, camera);
  const transport = makeTransport(app, graph);
  const table = makeTable(app, graph);
  const search = makeSearch(app, graph);

  store.show([
    picture, folding, focus, transport, table,
    makeSelection(app, graph, scripts), makeInputList(app, graph), makeScopeList(app, scoping), makeHops(app),
    makeAnnouncer(app, graph), makeFollower(graph, picture, camera),
  ]);
  showNotes(graph.notes);
  connectPointer(app, camera, pane);
  connectTooltips(svg, graph, store);
  const here = makeActionsHere(app, graph, scoping, focus, folding);
  makeKeys({ app, here, camera, transport, focus, search, table, dialog: makeDialog() });
  svg.setAttribute("role", "group"); // no longer one image: its nodes are buttons; and now it is shown
};

startExplorer();
