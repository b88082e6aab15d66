// Sliders and number fields for the leaves.

const FIRST_INPUTS = 12;
const MORE_INPUTS = 50;
const SLIDER_FIGURES = 4;
const LARGEST_REACH = Number.MAX_VALUE / 4; // a range that is longer than the largest number is none

// Where a slider begins and ends that stands at x at first.
const rangeAround = (x) => {
  const reach = Math.min(LARGEST_REACH, Math.max(1, 2 * Math.abs(x)));
  return [Math.max(-Number.MAX_VALUE, x - reach), Math.min(Number.MAX_VALUE, x + reach)];
};

// The same range if x is in it, else one with x in it.
const rangeWith = ([least, most], x) => {
  const wider = [Math.min(least, x), Math.max(most, x)];
  return Number.isFinite(wider[1] - wider[0]) ? wider : rangeAround(x);
};

// One slider and one field that move one leaf.
const makeInputControl = (app, graph, id, { isLinked }) => {
  const name = nameOf(graph, id);
  const start = Number.isFinite(graph.data[id]) ? graph.data[id] : 0;
  let range = rangeAround(start);
  const slider = element("input", { type: "range", step: "any", "aria-label": `${name}, slider` });
  const field = element("input", { type: "number", step: "any", "aria-label": `${name}, value` });
  slider.addEventListener("input", () => app.setInput(id, Number(Number(slider.value).toPrecision(SLIDER_FIGURES))));
  field.addEventListener("input", () => {
    const value = Number(field.value); // not valueAsNumber, which knows no -0
    if (field.value !== "" && Number.isFinite(value)) app.setInput(id, value);
  });
  // Also where what was typed is no number, or one too large for Python: the field shows what counts.
  const rewrite = () => {
    field.value = exactText(app.state().inputs[id]);
  };
  field.addEventListener("change", rewrite);
  field.addEventListener("blur", rewrite);

  const title = isLinked
    ? button(name, () => app.select(id), { className: "link" })
    : element("span", { className: "input-name" }, name);
  const control = element("div", { className: "input" }, title, slider, field);

  const refresh = ({ inputs }) => {
    const value = inputs[id];
    const shown = formatNumber(value, graph.digits);
    if (Number.isFinite(value)) range = rangeWith(range, value);
    Object.assign(slider, { min: String(range[0]), max: String(range[1]) });
    slider.value = Number.isFinite(value) ? String(value) : String(start);
    slider.setAttribute("aria-valuetext", shown);
    field.placeholder = Number.isFinite(value) ? "" : shown; // a number field has no word for nan and infinity
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
  const textOf = (id) => `${nameOf(graph, id)}\n${graph.nodes[id].scope}`.toLowerCase();
  const isNamed = (id) => graph.nodes[id].name !== "";
  const all = [...graph.leaves.filter(isNamed), ...graph.leaves.filter((id) => !isNamed(id))];
  const frozen = graph.nodes.filter((node) => node.frozen).length;
  const changedWords =
    "Inputs changed: the numbers are computed in this page." +
    (frozen ? ` ${plural(frozen, "operation")} frozen: Python's values and derivatives are kept there.` : "");
  let controls = [];
  let limit = FIRST_INPUTS;

  const build = () => {
    const wanted = filter.value.trim().toLowerCase();
    const found = all.filter((id) => textOf(id).includes(wanted));
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
