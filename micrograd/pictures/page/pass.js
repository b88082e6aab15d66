// The forward and the backward pass, as pure functions on typed arrays: no page, no state.
//
// A script computes one operation and its shares: (seed, x, gradient) => value reads the operands x and overwrites
// gradient with what the rule makes of the upstream gradient seed. With seed 1 these are the local derivatives.

const operandNumbers = (graph, data, id) =>
  Float64Array.from(graph.nodes[id].operands, (operand) =>
    typeof operand === "number" ? data[operand] : decode(operand.number),
  );

// Values and local derivatives for these inputs. An operation without a script keeps Python's numbers.
const forward = (graph, scripts, inputs) => {
  const data = Float64Array.from(graph.data);
  const local = Float64Array.from(graph.local);
  for (const id of graph.leaves) data[id] = inputs[id];
  for (const id of graph.interior) {
    const script = scripts[graph.nodes[id].script];
    if (!script) continue;
    const x = operandNumbers(graph, data, id);
    const gradient = new Float64Array(x.length);
    data[id] = script(1, x, gradient);
    for (const edge of graph.operandEdges(id)) local[edge] = gradient[graph.position[edge]];
  }
  return { data, local };
};

// What a node hands each operand of its gradient g. No gradient, no share: 0 gives exactly 0, whatever the local
// derivative.
const sharesOf = (graph, scripts, { data, local }, id, g) => {
  const edges = graph.operandEdges(id);
  if (g === 0) return new Float64Array(edges.length);
  const script = scripts[graph.nodes[id].script];
  if (!script) return Float64Array.from(edges, (edge) => local[edge] * g);
  const x = operandNumbers(graph, data, id);
  const gradient = new Float64Array(x.length);
  script(g, x, gradient);
  return Float64Array.from(edges, (edge) => gradient[graph.position[edge]]);
};

// Gradients as sums of shares, one share for every use of a node, in the engine's order. total[edge] is the sum that
// the operand has when the share of this edge has been added.
const backward = (graph, shares) => {
  const gradient = new Float64Array(graph.size);
  const share = new Float64Array(graph.edgeCount);
  const total = new Float64Array(graph.edgeCount);
  gradient[graph.root] = 1;
  for (const id of graph.reverse) {
    const given = shares(id, gradient[id]);
    graph.operandEdges(id).forEach((edge, i) => {
      share[edge] = given[i];
      total[edge] = gradient[graph.operand[edge]] += given[i];
    });
  }
  return { gradient, share, total };
};

// The pass as Python computed it.
const recordedPass = (graph) => ({
  isPythons: true,
  data: graph.data,
  local: graph.local,
  ...backward(graph, (id) => Array.from(graph.operandEdges(id), (edge) => graph.share[edge])),
});

// The pass for other inputs, computed here.
const computedPass = (graph, scripts, inputs) => {
  const values = forward(graph, scripts, inputs);
  return { isPythons: false, ...values, ...backward(graph, (id, g) => sharesOf(graph, scripts, values, id, g)) };
};

// How much the root moves when one input moves by h.
const changeOfRoot = (graph, scripts, inputs, id, h) => {
  const moved = Float64Array.from(inputs);
  moved[id] += h;
  return forward(graph, scripts, moved).data[graph.root] - forward(graph, scripts, inputs).data[graph.root];
};

// The gradient of a node at a step: how many shares have arrived, and their sum so far.
const gradientAt = (graph, pass, id, step) => {
  const arrived = arrivedShares(graph, id, step);
  const awaited = graph.uses(id).length;
  const seeded = id === graph.root && step >= graph.seedStep;
  const total = arrived > 0 ? pass.total[graph.uses(id)[arrived - 1]] : seeded ? 1 : 0;
  const known = seeded || arrived > 0;
  return { known, total, arrived, awaited, complete: known && arrived === awaited };
};
