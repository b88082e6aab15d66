// The keyboard. Keys of one character can be switched off in the help, for those who speak to their computer.

const PAN = 60; // pixels

const SCROLLING = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", " "];

// Keys that a control needs for itself.
const OWN_KEYS = [
  { control: "select, input[type=search], input[type=number]", needs: () => true },
  { control: "input[type=range]", needs: (key) => key.startsWith("Arrow") || key === "Home" || key === "End" },
  { control: "input[type=checkbox]", needs: (key) => key === " " },
  { control: "button, summary", needs: (key) => key === " " || key === "Enter" },
  { control: ".scroll", needs: (key) => SCROLLING.includes(key) },
];

// Rows of keys, what they do, and the action; the help is made of the same rows. Those of the graph count where the
// focus is in the graph, before the others.
const keyRows = ({ app, here, camera, transport, focus, search, table, dialog }) => {
  const row = (shown, keys, words, act) => ({ shown, keys, words, act, isInGraph: false });
  const inGraph = (...fields) => ({ ...row(...fields), isInGraph: true });
  const pan = (dx, dy) => () => camera.pan(dx * PAN, dy * PAN);
  return [
    row("→", ["ArrowRight"], "one step forward", transport.forward),
    row("←", ["ArrowLeft"], "one step back", transport.back),
    row("Home", ["Home"], "first step", transport.first),
    row("End", ["End"], "last step", transport.last),
    row("Space or k", [" ", "k"], "play or pause (on a button, Space presses it)", transport.play),
    row("n", ["n"], "to the next node in the order of computation", () => focus.toNext(1)),
    row("p", ["p"], "to the node before", () => focus.toNext(-1)),
    inGraph("o", ["o"], "in the graph: to the first operand of the node", focus.toOperands),
    inGraph("u", ["u"], "in the graph: to the first use of the node", focus.toUses),
    inGraph("↓", ["ArrowDown"], "in the graph: to the next of these operands or uses", () => focus.toSibling(1)),
    inGraph("↑", ["ArrowUp"], "in the graph: to the one before", () => focus.toSibling(-1)),
    inGraph("Enter or Space", ["Enter", " "], "in the graph: select the node", here.activate),
    row("Esc", ["Escape"], "select nothing", () => app.select(null)),
    row("w", ["w"], "why: read the account of the selected node's gradient", app.showWhy),
    row("c", ["c"], "collapse or expand the scope of the node", here.toggleScope),
    row("b", ["b"], "neighbours: show only nodes near the selected one", app.nextHops),
    row("r", ["r"], "reset the inputs", app.resetInputs),
    row("t", ["t"], "open or close the table", table.toggle),
    row("/", ["/"], "search; then Enter goes to the next hit", search.focus),
    row("+", ["+", "="], "zoom in", () => camera.zoom(ZOOM_STEP)),
    row("-", ["-"], "zoom out", () => camera.zoom(1 / ZOOM_STEP)),
    row("0 or f", ["0", "f"], "fit the whole graph", camera.fit),
    row("Shift + arrows", ["Shift+ArrowLeft"], "move the view", pan(-1, 0)),
    row("", ["Shift+ArrowRight"], "", pan(1, 0)),
    row("", ["Shift+ArrowUp"], "", pan(0, -1)),
    row("", ["Shift+ArrowDown"], "", pan(0, 1)),
    row("?", ["?"], "this help", dialog.open),
  ];
};

const makeKeys = (parts) => {
  const { focus } = parts;
  const letters = byId("letters");
  const rows = keyRows(parts);
  for (const { shown, words } of rows.filter((row) => row.shown)) {
    byId("key-list").append(element("dt", {}, element("kbd", {}, shown)), element("dd", {}, words));
  }

  const nameOfKey = ({ key, shiftKey }) => (shiftKey && key.startsWith("Arrow") ? `Shift+${key}` : key);

  const isElsewhere = ({ target, key, ctrlKey, metaKey, altKey }) =>
    byId("help").open || ctrlKey || metaKey || altKey ||
    OWN_KEYS.some(({ control, needs }) => target.matches(control) && needs(key));

  document.addEventListener("keydown", (event) => {
    if (isElsewhere(event)) return;
    const key = nameOfKey(event);
    if (key.length === 1 && key !== " " && !letters.checked) return;
    const found = rows.filter(({ keys }) => keys.includes(key));
    const row = (focus.isInside() && found.find((one) => one.isInGraph)) || found.find((one) => !one.isInGraph);
    if (!row) return;
    event.preventDefault();
    row.act();
  });
};

const makeDialog = () => {
  const help = byId("help");
  const open = () => {
    if (!help.open) help.showModal();
  };
  byId("open-help").addEventListener("click", open);
  byId("close-help").addEventListener("click", () => help.close());
  return { open };
};
