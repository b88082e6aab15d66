"""The ``python`` backend: generated Python, which calls the forward functions of the table.

It needs nothing but the table, runs whatever the table holds, the user's operations too, and is slow: the living
definition of what a program means, to which the other backends are held.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from micrograd.arrays import from_flat, is_array
from micrograd.compiler.arguments import Leaf
from micrograd.compiler.kernel import Shape
from micrograd.compiler.outcome import Outcome
from micrograd.compiler.program import CHAIN, LEAVES, SHARE, Program

__all__ = ["Plain", "python_source"]

_INFIX = {"add": "+", "sub": "-", "mul": "*"}
_KINDS = ("argument", "sample", "parameter", "index", "sample_index", "tangent")
_TERMS = 8  # products in one statement: Python's parser goes one level down for each


def python_source(program: Program, name: str = "function") -> str:
    """Return Python that computes ``program`` at one sample.

    The function takes a sequence for each kind of leaf, and the seed; it returns the outputs, the gradients in the
    order of ``program.gradients``, and a pair of position and gradient for each of ``program.scatters``.

    >>> print(python_source(Program(["argument", "exp"], [(0,), (0,)], outputs={"value": 1})))
    from micrograd.ops import operations
    <BLANKLINE>
    op_exp = operations()["exp"].forward
    <BLANKLINE>
    <BLANKLINE>
    def function(argument, sample, parameter, index, sample_index, tangent, seed):
        v1 = op_exp(argument[0])
        return (v1,), (), ()
    """
    return "\n".join(_lines(program, name))


def _lines(program: Program, name: str) -> Iterator[str]:
    called = sorted({op for op in program.ops if op not in LEAVES and op not in _INFIX and op not in (CHAIN, "neg")})
    if any(op == "constant" and not math.isfinite(x[0]) for op, x in zip(program.ops, program.operands)):
        yield "from math import inf, nan"
        yield ""
    if called:
        yield "from micrograd.ops import operations"
        yield ""
        for op in called:
            name_of, _, k = op.partition(SHARE)
            if k:
                rule = f'operations()["{name_of}"].contributions'
                yield f"op_{name_of}_share{k} = lambda g, out, *x: {rule}(g, out, x)[{k}]"
            else:
                yield f'op_{op} = operations()["{op}"].forward'
        yield ""
        yield ""
    yield f"def {name}({', '.join(_KINDS)}, seed):"
    names: list[str] = []
    for i, (op, operands) in enumerate(zip(program.ops, program.operands)):
        if op in LEAVES:
            names.append(_leaf(op, operands))
            continue
        names.append(f"v{i}")
        x = [names[k] for k in operands]
        if op in _INFIX:
            yield f"    v{i} = {x[0]} {_INFIX[op]} {x[1]}"
        elif op == "neg":
            yield f"    v{i} = -{x[0]}"
        elif op == CHAIN:
            half = len(x) // 2
            products = [f"{a} * {b}" for a, b in zip(x[1 : 1 + half], x[1 + half :])]
            total = x[0]
            for start in range(0, half, _TERMS):
                yield f"    v{i} = {' + '.join([total, *products[start : start + _TERMS]])}"
                total = f"v{i}"
        else:
            yield f"    v{i} = op_{op.replace('.', '_')}({', '.join(x)})"
    outputs = _tuple([names[x] for x in program.outputs.values()])
    gradients = _tuple([names[x] for x in program.gradients.values()])
    chosen = _tuple([f"({names[index]}, {names[g]})" for _, index, g in program.scatters])
    yield f"    return {outputs}, {gradients}, {chosen}"


def _leaf(op: str, operands: tuple[Any, ...]) -> str:
    if op == "constant":
        text = repr(operands[0])
        return f"({text})" if text.startswith("-") else text
    return op if op == "seed" else f"{op}[{operands[0]}]"


def _tuple(items: Sequence[str]) -> str:
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


class Plain:
    """Generated Python, ready to be called as ``native.Native`` is.

    Args:
        program: any program, lowered or not.
        shape: what goes in and what is asked.
        leaves: of the arguments.
        wanted: those whose gradients are asked for.
    """

    def __init__(self, program: Program, shape: Shape, leaves: Sequence[Leaf], wanted: Sequence[Leaf]) -> None:
        self.program = program
        self.shape = shape
        self.leaves = leaves
        self.wanted = wanted
        namespace: dict[str, Any] = {}
        exec(compile(python_source(program), "<compiled by micrograd>", "exec"), namespace)
        self._function: Callable[..., Any] = namespace["function"]
        self._targets = [self._target(leaf) for leaf in program.gradients]
        self._scattered = [[self._target(leaf) for leaf in leaves] for leaves, _, _ in program.scatters]

    def _target(self, leaf: int) -> tuple[str, int]:
        return self.program.ops[leaf], self.program.operands[leaf][0]

    def run(
        self,
        values: Sequence[Any],
        parameters: Sequence[float],
        indices: Any = None,
        sample_indices: Any = None,
        samples: int = 0,
        seed: float = 1.0,
        direction: Any = None,
    ) -> Outcome:
        """Run on the numbers and arrays ``values``; arguments and result as of ``Native.run``."""
        shape = self.shape
        argument = [x for leaf, v in zip(self.leaves, values) if _uniform(leaf) for x in _numbers(v)]
        rows = [_rows(v, samples) for leaf, v in zip(self.leaves, values) if leaf.batched and leaf.kind == "float"]
        chosen = [] if indices is None else list(map(int, indices))
        directions = _rows(direction, samples) if shape.tangent_rows else None
        uniform_direction = [] if direction is None or shape.tangent_rows else list(direction)
        ints = None if sample_indices is None else _rows(sample_indices, samples)
        totals: dict[tuple[str, int], float] = {}
        outputs = [0.0] * len(self.program.outputs)
        per_sample: list[tuple[list[float], dict[tuple[str, int], float]]] = []
        for n in range(samples if shape.batched else 1):
            row = [x for array in rows for x in array[n]]
            found, gradients, scattered = self._function(
                argument,
                row,
                parameters,
                chosen,
                () if ints is None else ints[n],
                uniform_direction if directions is None else directions[n],
                seed,
            )
            own: dict[tuple[str, int], float] = dict(zip(self._targets, gradients))
            for targets, (k, g) in zip(self._scattered, scattered):
                own[targets[int(k)]] = own.get(targets[int(k)], 0.0) + g
            per_sample.append((list(found), own))
            outputs = [total + x for total, x in zip(outputs, found)]
            for key, g in own.items():
                totals[key] = totals.get(key, 0.0) + g
        if not shape.batched:  # nothing is added up: -0.0 stays what it is
            ((outputs, totals),) = per_sample
        return self._outcome(outputs, totals, per_sample)

    def _outcome(
        self,
        outputs: list[float],
        totals: dict[tuple[str, int], float],
        per_sample: list[tuple[list[float], dict[tuple[str, int], float]]],
    ) -> Outcome:
        shape, count = self.shape, len(per_sample)
        results: dict[str, Any] = {}
        for k, name in enumerate(self.program.outputs):
            results[name] = from_flat([found[k] for found, _ in per_sample], (count,)) if shape.rows else outputs[k]
        gradients: list[Any] = []
        for leaf in self.wanted:
            keys = [("sample" if leaf.batched else "argument", leaf.first + k) for k in range(leaf.size)]
            if leaf.batched or shape.rows:
                flat = [own.get(key, 0.0) for _, own in per_sample for key in keys]
                gradients.append(from_flat(flat, (count, *(leaf.shape or ()))))
            else:
                flat = [totals.get(key, 0.0) for key in keys]
                gradients.append(flat[0] if leaf.shape is None else from_flat(flat, leaf.shape))
        wanted = range(shape.parameters) if shape.parameters_wanted else ()
        parameters = [totals.get(("parameter", k), 0.0) for k in wanted]
        doubtful = any(x != x for found, own in per_sample for x in (*found, *own.values()))
        return Outcome(results["value"], gradients, parameters, results.get("tangent"), doubtful)


def _uniform(leaf: Leaf) -> bool:
    return not leaf.batched and leaf.kind == "float"


def _numbers(x: Any) -> list[float]:
    return [float(y) for y in x.ravel().tolist()] if is_array(x) else [float(x)]


def _rows(x: Any, samples: int) -> list[list[Any]]:
    return x.reshape(samples, x.size // samples).tolist() if samples else []
