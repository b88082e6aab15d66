// The graph of the page: what Python wrote as JSON, in arrays that a pass can run over.
//
// A step is one event of the pass. Step 0 is the start, where only the leaves have values; then every operation
// computes its value (forward); then the root's gradient becomes 1, and every edge adds its share to the gradient of
// its operand (backward), in the order in which Python's engine does it.

// Put items into lists by key; all lists stand side by side in one array.
const groupBy = (keys, items, count) => {
  const starts = new Int32Array(count + 1);
  for (const key of keys) starts[key + 1] += 1;
  for (let key = 0; key < count; key++) starts[key + 1] += starts[key];
  const next = starts.slice(0, count);
  const list = new Int32Array(items.length);
  keys.forEach((key, i) => {
    list[next[key]++] = items[i];
  });
  return (key) => list.subarray(starts[key], starts[key + 1]);
};

const readGraph = ({ nodes, edges, reverse, root, digits, notes }) => {
  const size = nodes.length;
  const column = (name, type) => type.from(edges, (edge) => decode(edge[name]));
  const leaves = [];
  const interior = [];
  nodes.forEach((node, id) => (node.op ? interior : leaves).push(id));

  const consumer = column("consumer", Int32Array);
  const operand = column("operand", Int32Array);
  const operandEdges = groupBy(consumer, edges.map((_, edge) => edge), size);

  const seedStep = interior.length + 1;
  const computedAt = new Int32Array(size); // the step of a node's value; leaves have theirs from the start
  interior.forEach((id, i) => {
    computedAt[id] = i + 1;
  });
  const accumulation = []; // edges in the order in which their shares are added
  for (const id of reverse) for (const edge of operandEdges(id)) accumulation.push(edge);
  const addedAt = new Int32Array(edges.length).fill(-1); // the step of an edge's share
  accumulation.forEach((edge, i) => {
    addedAt[edge] = seedStep + 1 + i;
  });

  const uses = groupBy(accumulation.map((edge) => operand[edge]), accumulation, size); // in that same order

  return {
    titles: titlesOf(nodes),
    frozenAbove: frozenAbove(nodes, uses, consumer),
    nodes, reverse, root, digits, notes, size, leaves, interior, consumer, operand, operandEdges,
    position: column("position", Int32Array),
    data: Float64Array.from(nodes, (node) => decode(node.data)),
    local: column("local", Float64Array),
    share: column("share", Float64Array),
    uses,
    edgeCount: edges.length,
    accumulation,
    seedStep,
    computedAt,
    addedAt,
    lastStep: seedStep + accumulation.length,
  };
};

// Of every node an operation without a script on a way from it to the root; -1 where there is none.
const frozenAbove = (nodes, uses, consumer) => {
  const found = new Int32Array(nodes.length).fill(-1);
  for (let id = nodes.length - 1; id >= 0; id--) {
    for (const edge of uses(id)) {
      const next = consumer[edge];
      const frozen = nodes[next].frozen ? next : found[next];
      if (frozen >= 0) found[id] = frozen;
    }
  }
  return found;
};

// What a step is about: the node that changes and, in the backward pass, the edge along which its share arrives.
const eventAt = (graph, step) => {
  const { interior, accumulation, seedStep, operand, root } = graph;
  if (step <= 0) return { kind: "start", node: -1, edge: -1 };
  if (step < seedStep) return { kind: "forward", node: interior[step - 1], edge: -1 };
  if (step === seedStep) return { kind: "seed", node: root, edge: -1 };
  const edge = accumulation[step - seedStep - 1];
  return { kind: "backward", node: operand[edge], edge };
};

const isComputed = (graph, id, step) => step >= graph.computedAt[id];

// How many of a node's shares have arrived by a step: a search by halving, as its uses stand in the order of steps.
const arrivedShares = (graph, id, step) => {
  const uses = graph.uses(id);
  let low = 0;
  let high = uses.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (graph.addedAt[uses[middle]] <= step) low = middle + 1;
    else high = middle;
  }
  return low;
};

// Nodes within a number of edges of one node, whichever way the edges point.
const neighbourhood = (graph, id, hops) => {
  const near = new Set([id]);
  let border = [id];
  for (let hop = 0; hop < hops; hop++) {
    const next = [];
    const meet = (other) => {
      if (!near.has(other)) {
        near.add(other);
        next.push(other);
      }
    };
    for (const node of border) {
      for (const edge of graph.uses(node)) meet(graph.consumer[edge]);
      for (const edge of graph.operandEdges(node)) meet(graph.operand[edge]);
    }
    border = next;
  }
  return near;
};
