// Search by name, operation or scope.

const makeSearch = (app, graph) => {
  const field = byId("search");
  const count = byId("hits");
  const textOf = ({ name, op, shown, scope }, id) =>
    [nameOf(graph, id), name, op, shown, scope].join("\n").toLowerCase();
  const texts = graph.nodes.map(textOf);
  let at = -1;

  const find = () => {
    const wanted = field.value.trim().toLowerCase();
    const hits = wanted === "" ? [] : texts.flatMap((text, id) => (text.includes(wanted) ? [id] : []));
    at = -1;
    const words = wanted === "" ? "" : hits.length === 0 ? "no hits" : plural(hits.length, "hit");
    setText(count, words);
    if (words) app.say(words);
    app.change({ hits });
  };

  const next = (direction) => {
    const { hits } = app.state();
    if (hits.length === 0) return;
    at = at < 0 && direction < 0 ? hits.length - 1 : (at + direction + hits.length) % hits.length;
    app.select(hits[at]);
    setText(count, `${at + 1} of ${hits.length}`);
  };

  field.addEventListener("input", find);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") next(event.shiftKey ? -1 : 1);
    if (event.key === "Escape" && field.value) {
      field.value = "";
      find();
    }
  });
  return { focus: () => field.select() };
};
