// Sliders and number fields for the leaves.

const FIRST_INPUTS = 12;
const MORE_INPUTS = 50;
const SLIDER_FIGURES = 4;

// One slider and one field that move one leaf.
const makeInputControl = (app, graph, id, { isLinked }) => {
  const name = nameOf(graph, id);
  const start = Number.isFinite(graph.data[id]) ? graph.data[id] : 0;
  const reach = Math.max(1, 2 * Math.abs(start));
  const slider = element("input", { type: "range", step: "any", "aria-label": `${name}, slider` });
  const field = element("input", { type: "number", step: "any", "aria-label": `${name}, value` });
  Object.assign(slider, { min: String(start - reach), max: String(start + reach) });
  slider.addEventListener("input", () => app.setInput(id, Number(Number(slider.value).toPrecision(SLIDER_FIGURES))));
  field.addEventListener("input", () => {
    const value = Number(field.value); // not valueAsNumber, which knows no -0
    if (field.value !== "" && Number.isFinite(value)) app.setInput(id, value);
  });
  field.addEventListener("change", () => refresh(app.state()));

  const title = isLinked
    ? button(name, () => app.select(id), { className: "link" })
    : element("span", { className: "input-name" }, name);
  const control = element("div", { className: "input" }, title, slider, field);

  const refresh = ({ inputs }) => {
    const value = inputs[id];
    if (value < Number(slider.min)) slider.min = String(value);
    if (value > Number(slider.max)) slider.max = String(value);
    slider.value = Number.isFinite(value) ? String(value) : String(start);
    if (document.activeElement !== field) field.value = exactText(value);
    control.classList.toggle("changed", !Object.is(value, graph.data[id]));
  };
  refresh(app.state());
  return { control, refresh };
};

// All inputs, those with a name first, with a filter and a few at a time.
const makeInputList = (app, graph) => {
  const list = byId("input-list");
  const filter = byId("input-filter");
  const more = byId("more-inputs");
  const reset = byId("reset");
  const isNamed = (id) => graph.nodes[id].name !== "";
  const all = [...graph.leaves.filter(isNamed), ...graph.leaves.filter((id) => !isNamed(id))];
  const frozen = graph.nodes.filter((node) => node.frozen).length;
  const changedWords =
    "Inputs changed: the numbers are computed in this page." +
    (frozen ? ` ${plural(frozen, "operation")} frozen: Python's values are kept there.` : "");
  let controls = [];
  let limit = FIRST_INPUTS;

  const build = () => {
    const wanted = filter.value.trim().toLowerCase();
    const found = all.filter((id) => nameOf(graph, id).toLowerCase().includes(wanted));
    controls = found.slice(0, limit).map((id) => makeInputControl(app, graph, id, { isLinked: true }));
    list.replaceChildren(...controls.map(({ control }) => element("li", {}, control)));
    more.hidden = found.length <= limit;
    setText(more, `Show more (${Math.max(0, found.length - limit)} left)`);
    setText(byId("input-count"), `${found.length} of ${plural(all.length, "input")}`);
  };
  filter.addEventListener("input", () => {
    limit = FIRST_INPUTS;
    build();
  });
  more.addEventListener("click", () => {
    const seen = limit;
    limit += MORE_INPUTS;
    build();
    list.children[seen].querySelector("button").focus(); // the first of those that came
  });
  reset.addEventListener("click", () => app.resetInputs());
  byId("input-filter-row").hidden = all.length <= FIRST_INPUTS;
  build();

  const render = (state, before) => {
    if (state.inputs === before.inputs) return;
    for (const { refresh } of controls) refresh(state);
    reset.setAttribute("aria-disabled", String(state.isOriginal));
    setText(byId("provenance"), state.isOriginal ? "" : changedWords);
  };
  return { render };
};
