"""Faults around the sweep: what a node records, and what ``backward()`` promises."""

from __future__ import annotations

from functools import partial

from benchmarks.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_OWN = ("own",)
_recording = partial(Mutant, category="recording", file="engine.py")
_promise = partial(Mutant, category="promises", file="engine.py")

_ADD = """\
        a = node._a = self._data
        b = node._b = other._data
        node._data = node._out = a + b
"""
_MUL = _ADD.replace("a + b", "a * b")
_LINKS = """\
        node._left = self
        node._right = other
"""
_LINKS_SWAPPED = """\
        node._left = other
        node._right = self
"""

RECORDING = [
    _recording(
        name="add-swapped",
        says="a + b is recorded as b + a",
        before=_LINKS,
        after=_LINKS_SWAPPED,
        nth=1,
        judges=_OWN,
    ),
    _recording(
        name="mul-swapped",
        says="a * b is recorded with its operands exchanged",
        before=_LINKS,
        after=_LINKS_SWAPPED,
        nth=2,
    ),
    _recording(
        name="operands-swapped",
        says="every operation of two operands but + and * records them exchanged",
        before="self._left, self._right = operands\n",
        after="self._right, self._left = operands\n",
    ),
    _recording(
        name="captured-swapped",
        says="every operation of two operands but + and * captures their numbers exchanged",
        before="self._a, self._b = numbers\n",
        after="self._b, self._a = numbers\n",
    ),
    _recording(
        name="captured-as-float32",
        says="an only operand is captured with the 24 bits of a float32",
        before="self._a, self._b = numbers[0], None",
        after='self._a, self._b = __import__("ctypes").c_float(numbers[0]).value, None',
    ),
    _recording(
        name="product-captured-as-float32",
        says="the left factor of a product is captured with the 24 bits of a float32",
        before=_MUL,
        after=_MUL + '        node._a = __import__("ctypes").c_float(a).value\n',
    ),
    _recording(
        name="result-captured-as-float32",
        says="a result is captured with the 24 bits of a float32",
        before="    node._data = node._out = data\n    node._grad = 0.0\n    node._label",
        after='    node._data = data\n    node._out = __import__("ctypes").c_float(data).value\n'
        "    node._grad = 0.0\n    node._label",
    ),
    _recording(
        name="current-operand",
        says="a rule reads what an only operand is now, not what it was in the forward pass",
        before="share = rules[0](g, node._out, node._a)",
        after="share = rules[0](g, node._out, left._data)",
    ),
    _recording(
        name="current-result",
        says="a rule of two operands reads what the result is now, not what it was in the forward pass",
        before="out, a, b = node._out, node._a, node._b",
        after="out, a, b = node._data, node._a, node._b",
    ),
    _recording(
        name="current-operands-of-many",
        says="a rule of many operands reads what they are now, not what they were in the forward pass",
        before="return node._a  # type: ignore[no-any-return]",
        after="return tuple([x._data if type(x) is Value else x for x in node._left])",
    ),
    _recording(
        name="no-grad-records",
        says="results inside no_grad() are recorded",
        before="if not mode.recording:",
        after="if mode.recording is None:",
        judges=_OWN,
    ),
    Mutant(
        name="reflected-swapped",
        says="a number on the left of an operator is taken for the right operand: 2 - x becomes x - 2",
        category="recording",
        file="ops/operand.py",
        before="return self.__micrograd_op__(op, (other, self))",
        after="return self.__micrograd_op__(op, (self, other))",
    ),
]

PROMISES = [
    _promise(
        name="upstream-ignored",
        says="backward(gradient) starts with 1 whatever it was given",
        before="reverse_sweep([(self, gradient)], create_graph=create_graph)",
        after="reverse_sweep([(self, 1.0)], create_graph=create_graph)",
    ),
    _promise(
        name="root-that-is-leaf-halved",
        says="a root that is a leaf gets half of its gradient",
        before="leaves[root] = _plus(leaves.get(root, 0.0), gradient)",
        after="leaves[root] = _plus(leaves.get(root, 0.0), gradient * 0.5)",
    ),
    _promise(
        name="leaf-as-two-roots",
        says="a leaf that is a root twice keeps the last gradient",
        before="leaves[root] = _plus(leaves.get(root, 0.0), gradient)",
        after="leaves[root] = gradient",
        judges=_OWN,
    ),
    _promise(
        name="result-as-two-roots",
        says="a result that is a root twice keeps the last gradient",
        before="root._adjoint = _plus(root._adjoint, gradient)",
        after="root._adjoint = gradient",
        judges=_OWN,
    ),
    _promise(
        name="leaves-start-afresh",
        says="a second backward() replaces the gradient of a leaf",
        before="totals = {leaf: _plus(leaf._grad, g) for leaf, g in leaves.items()}",
        after="totals = dict(leaves)",
    ),
    _promise(
        name="leaves-start-afresh-with-values",
        says="a second backward(create_graph=True) replaces the gradient of a leaf",
        before="totals = {leaf: _as_value(_plus(leaf._grad, g)) for leaf, g in leaves.items()}",
        after="totals = {leaf: _as_value(g) for leaf, g in leaves.items()}",
    ),
    _promise(
        name="results-accumulate",
        says="a second backward() adds to the gradients of nodes between",
        before="node._grad = node._adjoint",
        after="node._grad += node._adjoint",
    ),
    _promise(
        name="failure-leaves-gradients",
        says="a backward pass that fails leaves the gradients that it had found",
        before="""\
    except Exception as error:
        _say_where(error, node)
        raise


def _sweep_checked""",
        after="""\
    except Exception as error:
        _say_where(error, node)
        for leaf, g in leaves.items():
            leaf._grad += g
        raise


def _sweep_checked""",
        judges=_OWN,
    ),
    _promise(
        name="anomaly-leaves-gradients",
        says="detect_anomaly() refuses a leaf's gradient when those of leaves before it are stored already",
        before="detector.stored(leaf, _number(g))",
        after="detector.stored(leaf, _number(g))\n                leaf._grad = g",
        judges=_OWN,
    ),
    _promise(
        name="graph-of-gradient-kept",
        says="the graph of a gradient stays alive after backward(create_graph=True)",
        before="""\
        finally:
            _forget(order)
        for node, g""",
        after="""\
        finally:
            pass
        for node, g""",
        judges=_OWN,
    ),
    _promise(
        name="stale-not-refused",
        says="with create_graph, an operand changed since the forward pass goes unnoticed",
        before="                _refuse_stale(node)\n",
        after="",
        judges=_OWN,
    ),
    _promise(
        name="gradient-not-recorded",
        says="inside no_grad(), backward(create_graph=True) records nothing",
        before="""\
            with _modes.recording():
                _sow(seeds, leaves)""",
        after="""\
            with _modes.pause_gc():
                _sow(seeds, leaves)""",
        judges=_OWN,
    ),
]

MUTANTS = [*RECORDING, *PROMISES]
