// The elements of the picture, found once, and written to only where something changes.

// Of every node and every edge its group, with the children by their class: { group, rect, name, data, grad, ... }.
const readPicture = (svg, graph) => {
  const parts = (group) => {
    const found = { group, look: [] };
    for (const child of group.children) {
      const name = child.getAttribute("class") || child.tagName;
      if (!(name in found)) found[name] = child;
    }
    return found;
  };
  const nodes = new Array(graph.size);
  const edges = new Array(graph.edgeCount);
  const proxies = Array.from(nodes, () => []); // further boxes of a leaf that is used very often
  for (const group of svg.querySelectorAll("g.node")) {
    const id = Number(group.dataset.node);
    if (group.classList.contains("proxy")) {
      proxies[id].push(parts(group));
      group.setAttribute("aria-hidden", "true");
      continue;
    }
    nodes[id] = parts(group);
    group.setAttribute("role", "button");
    group.setAttribute("tabindex", "-1");
    if (!graph.nodes[id].name) addMark(nodes[id], `#${id}`, "number", 10); // as words and formulas call it
    if (graph.nodes[id].frozen) addMark(nodes[id], "frozen", "reason", -4);
    group.classList.toggle("frozen", graph.nodes[id].frozen !== "");
  }
  for (const group of svg.querySelectorAll("g.edge")) {
    const part = parts(group);
    part.look = Object.keys(GLYPHS).filter((sign) => group.classList.contains(sign));
    edges[Number(group.dataset.edge)] = part;
    group.setAttribute("aria-hidden", "true"); // the panel has the same in words
  }
  return { nodes, proxies, edges };
};

// A small text at the left upper corner of a box.
const addMark = ({ group, rect }, text, name, below) => {
  const corner = { x: Number(rect.getAttribute("x")) + 4, y: Number(rect.getAttribute("y")) + below };
  group.append(svgElement("text", { class: `mark ${name}`, ...corner }, text));
};

// The classes that follow the state, in place of those from before.
const setLook = (part, look) => {
  if (part.look.join() === look.join()) return;
  part.group.classList.remove(...part.look);
  part.group.classList.add(...look);
  part.look = look;
};

const setWidth = ({ line }, width) => {
  if (line.getAttribute("stroke-width") !== width) line.setAttribute("stroke-width", width);
};

// 1 to 4, by the size of the share beside the largest one.
const widthOf = (share, largest) => {
  const size = Math.abs(share);
  return size > 0 && largest > 0 ? (1 + 3 * Math.min(1, Math.sqrt(size / largest))).toFixed(1) : "1";
};

// Tooltips are written when the pointer comes.
const makeTooltips = (svg, describe) => {
  svg.addEventListener("pointerover", (event) => {
    const group = event.target.closest("g.node, g.edge");
    if (group) setText(group.querySelector("title"), describe(group.dataset));
  });
};
