// What the page says about nodes and steps, in sentences and formulas.

const CALL_LENGTH = 80;
const FORMULA_OPERANDS = 6;
const FORMULA_TERMS = 6;

// A Map: an operation may be called "constructor", which every object has.
const INFIX = new Map(
  Object.entries({ add: " + ", sub: " - ", mul: " × ", div: " / ", power: " ** ", sum: " + ", prod: " × " }),
);

// An operation in words: "w × x", "tanh(s)"; write(operand) gives the words for one operand.
const callOf = (node, write) => {
  const { op, operands } = node;
  const shown = operands.slice(0, FORMULA_OPERANDS).map(write);
  if (operands.length > shown.length) shown.push(`… (${operands.length} operands)`);
  if (INFIX.has(op) && operands.length > 1) return shown.join(INFIX.get(op));
  if (op === "neg") return `-${shown[0]}`;
  return `${op}(${shown.join(", ")})`;
};

// The two sides of a value: the operation on names, and the same on numbers: ["w × x", "0.5 × 2"].
const formulaOf = (graph, pass, id) => {
  const node = graph.nodes[id];
  const number = (x) => inFormula(formatNumber(x, graph.digits));
  return [
    callOf(node, (x) => (typeof x === "number" ? nameOf(graph, x) : number(decode(x.number)))),
    callOf(node, (x) => number(typeof x === "number" ? pass.data[x] : decode(x.number))),
  ];
};

const forwardWords = (graph, pass, id) => {
  const [onNames, onNumbers] = formulaOf(graph, pass, id);
  const result = formatNumber(pass.data[id], graph.digits);
  return `${nameOf(graph, id)} = ${onNames} = ${onNumbers} = ${result}`;
};

const hasIncoming = (graph, pass, edge) => pass.gradient[graph.consumer[edge]] !== 0;

// One term of a gradient: local derivative × gradient of the consumer. No gradient, no share: not even inf × 0.
const termOf = (graph, pass, edge) => {
  if (!hasIncoming(graph, pass, edge)) return "0";
  const number = (x) => inFormula(formatNumber(x, graph.digits));
  return `${number(pass.local[edge])} × ${number(pass.gradient[graph.consumer[edge]])}`;
};

// What has to be said of a gradient that was computed here through an operation that only Python can compute.
const frozenNote = (graph, pass, id) => {
  const frozen = graph.frozenAbove[id];
  return pass.isPythons || frozen < 0 ? "" : ` (through ${nameOf(graph, frozen)}, frozen: with Python's numbers)`;
};

const backwardWords = (graph, pass, edge) => {
  const total = formatNumber(pass.total[edge], graph.digits);
  const words = `${nameOf(graph, graph.operand[edge])}.grad += ${termOf(graph, pass, edge)} = ${total}`;
  if (hasIncoming(graph, pass, edge)) return words + frozenNote(graph, pass, graph.operand[edge]);
  return `${words}: no gradient arrives at ${nameOf(graph, graph.consumer[edge])}, so it passes none on`;
};

// The words of a step: "step 3 of 9: b.grad += 1 × 0.42 = 0.87".
const stepWords = (graph, pass, step) => {
  const { kind, node, edge } = eventAt(graph, step);
  const said = {
    start: () => "the inputs have their values, nothing else is computed yet",
    forward: () => forwardWords(graph, pass, node) + (graph.nodes[node].frozen ? " (frozen: Python's value)" : ""),
    seed: () => `${nameOf(graph, node)}.grad = 1`,
    backward: () => backwardWords(graph, pass, edge),
  }[kind]();
  return `step ${step} of ${graph.lastStep}: ${said}`;
};

const phaseOf = (graph, step) =>
  step === 0 ? "Start" : step < graph.seedStep ? "Forward pass" : "Backward pass";

const valueText = (graph, pass, id, step) =>
  isComputed(graph, id, step) ? formatNumber(pass.data[id], graph.digits) : "not computed";

const gradientText = (graph, pass, id, step) => {
  const { known, total, complete } = gradientAt(graph, pass, id, step);
  if (!known) return "not computed";
  return formatNumber(total, graph.digits) + (complete ? "" : " …");
};

// "b.grad = 1 × 0.31 + 1 × (-0.12) + … = 0.87", with the shares that have arrived at this step.
const gradientFormula = (graph, pass, id, step) => {
  const name = `${nameOf(graph, id)}.grad`;
  const { known, total, arrived, awaited, complete } = gradientAt(graph, pass, id, step);
  if (!known) return `${name} is not computed yet`;
  const terms = Array.from(graph.uses(id).subarray(0, Math.min(arrived, FORMULA_TERMS)), (edge) =>
    termOf(graph, pass, edge),
  );
  if (id === graph.root) terms.unshift("1");
  if (arrived > FORMULA_TERMS) terms.push("…");
  const sum = terms.join(" + ");
  const result = formatNumber(total, graph.digits);
  const equation = sum === result ? `${name} = ${result}` : `${name} = ${sum} = ${result}`;
  const note = frozenNote(graph, pass, id);
  return complete ? equation + note : `${equation} so far, ${arrived} of ${awaited} shares${note}`;
};

// One line of the account of a gradient: what one use adds to it.
const useWords = (graph, pass, edge, step) => {
  const consumer = nameOf(graph, graph.consumer[edge]);
  if (graph.addedAt[edge] > step) return `from ${consumer}: not computed yet`;
  const share = `${GLYPHS[signOf(pass.share[edge])]} ${formatNumber(pass.share[edge], graph.digits)}`;
  if (!hasIncoming(graph, pass, edge)) return `${share} from ${consumer}, where no gradient arrives`;
  return `${termOf(graph, pass, edge)} = ${share} from ${consumer}`;
};

// One line about the value of a node: the operand of one edge.
const operandWords = (graph, pass, edge, step) => {
  const operand = graph.operand[edge];
  const words = `${nameOf(graph, operand)} = ${valueText(graph, pass, operand, step)}`;
  if (!isComputed(graph, graph.consumer[edge], step)) return words;
  return `${words}, local derivative ${formatNumber(pass.local[edge], graph.digits)}`;
};

const valueFormula = (graph, pass, id, step) => {
  if (!graph.nodes[id].op) return `${nameOf(graph, id)} = ${formatNumber(pass.data[id], graph.digits)}, an input`;
  if (isComputed(graph, id, step)) return forwardWords(graph, pass, id);
  return `${nameOf(graph, id)} = ${formulaOf(graph, pass, id)[0]}, not computed yet`;
};

// What happens to the root when an input moves by h.
const nudgeWords = (graph, scripts, pass, inputs, id, h) => {
  const name = nameOf(graph, id);
  const number = (x) => formatNumber(x, graph.digits);
  const frozen = graph.frozenAbove[id];
  if (frozen >= 0) return `This cannot be computed here: ${nameOf(graph, frozen)} is frozen.`;
  if (inputs[id] + h === inputs[id]) return `h = ${number(h)} is too small: ${name} + h rounds to ${name}.`;
  const change = changeOfRoot(graph, scripts, inputs, id, h);
  const moved = `Moving ${name} by ${number(h)} moves ${nameOf(graph, graph.root)} by ${number(change)}`;
  return `${moved}; grad × h = ${number(pass.gradient[id] * h)}.`;
};

// A node in one sentence.
const describeNode = (graph, pass, id, step) => {
  const { name, op, call, scope, frozen } = graph.nodes[id];
  const parts = [nameOf(graph, id)];
  if (name) parts.push(op ? tame(shorten(call, CALL_LENGTH)) : "leaf");
  parts.push(`value ${valueText(graph, pass, id, step)}`);
  parts.push(`gradient ${gradientText(graph, pass, id, step)}${frozenNote(graph, pass, id)}`);
  const uses = graph.uses(id).length;
  if (uses > 1) parts.push(`used ${uses} times`);
  if (id === graph.root) parts.push("root");
  if (frozen) parts.push("frozen");
  if (scope) parts.push(`in ${tame(scope)}`);
  return parts.join(", ");
};

const describeEdge = (graph, pass, edge, step) => {
  const ends = `${nameOf(graph, graph.operand[edge])} in ${nameOf(graph, graph.consumer[edge])}`;
  if (!isComputed(graph, graph.consumer[edge], step)) return ends;
  const local = `${ends}: local derivative ${formatNumber(pass.local[edge], graph.digits)}`;
  if (graph.addedAt[edge] > step) return local;
  return `${local}; adds ${formatNumber(pass.share[edge], graph.digits)} to the gradient`;
};
