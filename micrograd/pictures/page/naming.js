// What the page calls the nodes, so that no two have the same name.

const NAME_LENGTH = 40;

const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu; // they would reverse the numbers that follow
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

// Text of the graph as it may stand among words and numbers of the page: what runs from right to left is isolated.
const tame = (text) => {
  const plain = text.replace(TURNING, "\ufffd");
  return RIGHT_TO_LEFT.test(plain) ? `\u2068${plain}\u2069` : plain;
};

const shorten = (text, limit) => {
  const characters = Array.from(text);
  return characters.length <= limit ? text : `${characters.slice(0, limit - 1).join("")}…`;
};

// A name alone, then behind more and more of its scope: "b", "neuron1/b", "layer0/neuron1/b".
const longerNames = ({ name, scope }) => {
  const own = shorten(name, NAME_LENGTH);
  const parts = scope ? scope.split("/") : [];
  const before = (count) => shorten(parts.slice(-count).join("/"), NAME_LENGTH);
  return [own, ...parts.map((_, i) => `${before(i + 1)}/${own}`)];
};

// Of every node its name with as much of the scope as tells it from all others; where none does, with its number.
const titlesOf = (nodes) => {
  const candidates = nodes.map((node) => (node.name ? longerNames(node) : []));
  const counts = new Map();
  for (const title of candidates.flat()) counts.set(title, (counts.get(title) || 0) + 1);
  return nodes.map(({ name, op }, id) => {
    if (!name) return `${op || "leaf"} #${id}`;
    const title = candidates[id].find((one) => counts.get(one) === 1);
    return tame(title || `${candidates[id][0]} #${id}`);
  });
};

const nameOf = (graph, id) => graph.titles[id];
