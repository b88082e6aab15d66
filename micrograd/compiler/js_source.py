"""Export to JavaScript: a program as one ES2017 function on typed arrays, without dependencies.

JavaScript lacks a few functions of the C library; the text brings those along that it needs. The rest comes from
``Math``, whose functions ECMAScript leaves to the browser; V8's are off by less than 2 ulps where they were measured.

``erf`` and ``erfc`` are Chebyshev expansions, whose coefficients were computed with mpmath to 60 digits and rounded:
``erf(x) / x`` in ``x*x`` up to 1, and beyond it ``(1 + 2x) exp(x*x) erfc(x)`` in ``(x - 3.75) / (x + 3.75)``, the form
of Shepherd and Laframboise, "Chebyshev approximation of (1+2x)exp(x^2)erfc x in 0<=x<inf", Mathematics of Computation
36 (1981), 249-253. ``erf`` is off by at most 2 ulps, ``erfc`` by at most 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from micrograd.compiler.program import Program
from micrograd.compiler.source_text import ARRAYS, INDICES, Body, Dialect, Read, checked, described

__all__ = ["js_expression", "js_source"]

_MATH = """
exp expm1 log log1p log2 log10 sqrt cbrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh abs
"""
_SPELLING = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "gt": "{0} > {1} ? 1 : 0",
    "ge": "{0} >= {1} ? 1 : 0",
    "lt": "{0} < {1} ? 1 : 0",
    "le": "{0} <= {1} ? 1 : 0",
    "eq": "{0} === {1} ? 1 : 0",
    "isnan": "{0} !== {0} ? 1 : 0",
    "where": "{0} !== 0 ? {1} : {2}",
    "fmod": "{0} % {1}",
    "exp2": "Math.pow(2, {0})",
    "power": "power({0}, {1})",
    "copysign": "copysign({0}, {1})",
    "erf": "erf({0})",
    "erfc": "erfc({0})",
    "atan2": "Math.atan2({0}, {1})",
    "hypot": "hypot({0}, {1})",
    **{name: f"Math.{name}({{0}})" for name in _MATH.split()},
}
_JS = Dialect(_SPELLING, "const", "let", "NaN", "Infinity", "{}")

_POWER = """\
// C's pow: 1 to any power is 1, and so is -1 to an infinite one.
const power = (a, b) => (a === 1 || (a === -1 && (b === Infinity || b === -Infinity)) ? 1 : Math.pow(a, b));
"""
_COPYSIGN = """\
const copysign = (a, b) => {
  const negative = b < 0 || (b === 0 && 1 / b < 0);
  return negative ? -Math.abs(a) : Math.abs(a);
};
"""
_HYPOT = """\
// The square root of a sum of two numbers of 106 bits; V8's Math.hypot is off by 2 ulps, and its quotients by more.
const rest = (a, square) => {
  const c = 134217729 * a; // Veltkamp's and Dekker's way to what a product loses
  const head = c - (c - a);
  const tail = a - head;
  return head * head - square + 2 * head * tail + tail * tail;
};
const hypot = (a, b) => {
  const x = Math.max(Math.abs(a), Math.abs(b)), y = Math.min(Math.abs(a), Math.abs(b));
  if (Math.abs(a) === Infinity || Math.abs(b) === Infinity) return Infinity; // even beside a nan
  if (!(y > x * 1e-17)) return x + y;
  const scale = x > 1e150 ? 2 ** -600 : x < 1e-120 ? 2 ** 600 : 1;
  const p = x * scale, q = y * scale;
  const pp = p * p, qq = q * q;
  const sum = pp + qq;
  const length = Math.sqrt(sum);
  const square = length * length;
  const lost = pp - sum + qq + rest(p, pp) + rest(q, qq);
  return (length + (sum - square - rest(length, square) + lost) / (2 * length)) / scale;
};
"""
_ERF = """\
// Chebyshev coefficients of erf(x) / x in 2 x x - 1, and of (1 + 2x) exp(x x) erfc(x) in (x - 3.75) / (x + 3.75)
const NEAR = [
  0.9754769393826541, -0.14226120510371365, 0.010035582187599796, -0.0005768764699767485, 2.741993125219606e-05,
  -1.1043175507344507e-06, 3.8488755420345036e-08, -1.1808582533875466e-09, 3.2334215826050907e-11,
  -7.991015947004549e-13, 1.7990725113961456e-14, -3.718635487818693e-16, 7.103599003714253e-18,
  -1.2612455119155226e-19,
];
const FAR = [
  1.1775789345674017, -0.004590054580646478, -0.08424913336651792, 0.05920993999819189, -0.026658668435305753,
  0.009074997670705265, -0.002413163540417608, 0.0004907758365258086, -6.916973302501207e-05,
  4.13902798607301e-06, 7.74038306619849e-07, -2.1886401049234397e-07, 1.076499946567091e-08,
  4.521959811218287e-09, -7.754400208831351e-10, -6.318088340886684e-11, 2.86879501093067e-11,
  1.9455868545777347e-13, -9.65469674843344e-13, 3.25254814814874e-14, 3.3478119482868056e-14,
  -1.864562880419313e-15, -1.2507950530688648e-15, 7.418235256624044e-17, 5.068148904796111e-17,
  -2.2370566594359995e-18, -2.187342944303018e-18,
];
const chebyshev = (coefficients, t) => {
  let b = 0, c = 0; // Clenshaw's recurrence
  for (let k = coefficients.length - 1; k > 0; k--) {
    const d = 2 * t * b - c + coefficients[k];
    c = b;
    b = d;
  }
  return t * b - c + coefficients[0];
};
const near = (x) => x * chebyshev(NEAR, 2 * x * x - 1);
const far = (x) => {
  // exp(-x x), without the rounding of x x: the square of head is exact.
  const head = Math.fround(x);
  const power = Math.exp(-head * head) * Math.exp((head - x) * (head + x));
  return power * (chebyshev(FAR, (x - 3.75) / (x + 3.75)) / (1 + 2 * x));
};
const erf = (x) => {
  const size = Math.abs(x);
  if (!(size > 1)) return near(x);
  const value = size > 6 ? 1 : 1 - far(size);
  return x < 0 ? -value : value;
};
const erfc = (x) => {
  if (Math.abs(x) < 0.5 || x !== x) return 1 - near(x);
  const value = x > 28 || x < -28 ? 0 : far(Math.abs(x));
  return x < 0 ? 2 - value : value;
};
"""
_HELPERS = {"power": _POWER, "copysign": _COPYSIGN, "hypot": _HYPOT, "erf": _ERF, "erfc": _ERF}

_RESERVED = """
arguments await break case catch class const continue debugger default delete do else enum eval export extends false
finally for function if implements import in instanceof interface let new null package private protected public
return static super switch this throw true try typeof var void while with yield
undefined NaN Infinity Math window document location top globalThis Object Function
"""  # the last line: what a script cannot define, or what the function itself uses


def js_source(
    program: Program,
    *,
    name: str = "f",
    batched: bool = False,
    reduce: str | None = None,
    widths: Mapping[str, int] | None = None,
    legend: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Return a JavaScript statement that defines one function, which computes what ``program`` does.

    The function takes typed arrays in the order in which the C export takes pointers, and writes gradients into those
    that are given for them; a comment at the top of the text shows the call. The text may stand in a ``script`` element
    of a page as it is. Infinities and nans are as in C, but for the sign of a nan, which JavaScript hides.

    Args:
        program: lowered.
        name: of the function.
        batched: take the number of samples first, and arrays of samples row by row. Gradients of what all samples
            share are sums over the samples.
        reduce: for a batch, ``"sum"``, ``"mean"``, or ``None`` for every sample's own value.
        widths: the number of elements of arrays by kind of leaf, where more than the program reads.
        legend: texts about arrays by kind of leaf, for the comment.

    Raises ``CompilationError`` for a program that is not lowered, ``ValueError`` for a name that JavaScript reserves or
    an unknown ``reduce``.

    >>> program = Program(["argument", "exp", "mul"], [(0,), (0,), (1, 0)], outputs={"value": 2})
    >>> print(js_source(program, name="xex", legend={"argument": ["x"]}).partition("*/")[2])
    <BLANKLINE>
    const xex = (() => {
      "use strict";
      return (argument) => {
        const v1 = Math.exp(argument[0]);
        const v2 = v1 * argument[0];
        return v2;
      };
    })();
    """
    checked(name, _RESERVED.split(), "JavaScript", batched, reduce)
    body = Body(program, _JS, batched=batched, widths=widths)
    lines = []
    one = _arrow(_of_one(body), [*["const seed = 1;"][: int(body.has_seed and not batched)], *_statements(body)])
    if batched:
        lines += [f"const ofSample = {one[0]}", *one[1:]]
        one = _batch(body, reduce)
    comment = _comment(body, name, batched, reduce, legend)
    first, *rest = _with_helpers(body, [*lines, f"return {one[0]}", *one[1:]])
    return "\n".join([*comment, f"const {name} = {first}", *rest[:-1], f"{rest[-1]};", ""])


def js_expression(
    program: Program, parameters: Sequence[str], *, widths: Mapping[str, int], first: Sequence[str] = ()
) -> str:
    """Return a JavaScript expression that gives one function, which computes what ``program`` does for one sample.

    Args:
        program: lowered.
        parameters: of the function: ``seed`` where the program reads it, and the arrays, under their names.
        widths: the number of elements of arrays by kind of leaf.
        first: lines that the function begins with.

    Raises ``CompilationError`` for a program that is not lowered.

    >>> program = Program(["seed", "argument", "mul"], [(), (0,), (0, 1)], outputs={"value": 2})
    >>> print(js_expression(program, ["seed", "argument"], widths={}))
    (() => {
      "use strict";
      return (seed, argument) => {
        const v2 = seed * argument[0];
        return v2;
      };
    })()
    """
    body = Body(program, _JS, batched=False, widths=widths)
    start, *rest = _arrow(parameters, [*first, *_statements(body)])
    return "\n".join(_with_helpers(body, [f"return {start}", *rest]))


def _with_helpers(body: Body, lines: Sequence[str]) -> list[str]:
    """Return an expression around lines that return a function: what JavaScript lacks stands before them."""
    used = dict.fromkeys([_HELPERS[op] for op in body.program.ops if op in _HELPERS])
    inside = ['"use strict";', *"".join(used).splitlines(), *lines]
    return ["(() => {", *[f"  {line}" for line in inside], "})()"]


def _of_one(body: Body) -> list[str]:
    return [*["seed"][: int(body.batched and body.has_seed)], *body.parameters_of_one()]


def _statements(body: Body) -> list[str]:
    """Return what the function of one sample does, or of everything where there is no batch."""
    read: Read = lambda x: body.leaf(x) or f"v{x}"
    lines = []
    for kind, zeroed in body.gradients.items():
        if zeroed and (not body.batched or body.differs(kind)):
            lines.append(_zeros(body, kind))
    for unit in body.units:
        lines += unit.lines(read)
    if "value" in body.program.outputs:
        lines.append(f"return {read(body.program.outputs['value'])};")
    return lines


def _arrow(parameters: Sequence[str], lines: Sequence[str]) -> list[str]:
    return [f"({', '.join(parameters)}) => {{", *[f"  {line}" for line in lines], "};"]


def _zeros(body: Body, kind: str) -> str:
    return f"{kind}_gradient.fill(0, 0, {body.widths[kind]});"


def _batch(body: Body, reduce: str | None) -> list[str]:
    """Return the function that runs over the samples."""
    outputs, total = body.program.outputs, reduce is not None
    end = " / n" if reduce == "mean" else ""
    lines = [f"const seed = 1{end};"] if body.has_seed else []
    lines += [_zeros(body, kind) for kind in body.gradients if not body.differs(kind)]
    if total:
        lines += [f"let total_{key} = 0;" for key in outputs]
        lines += ["const tangentOfSample = [0];"] if "tangent" in outputs else []
    call = f"ofSample({', '.join([_row(body, array, total) for array in _of_one(body)])});"
    lines.append("for (let i = 0; i < n; i++) {")
    lines.append(f"  {'' if 'value' not in outputs else 'total_value += ' if total else 'value[i] = '}{call}")
    if total and "tangent" in outputs:
        lines.append("  total_tangent += tangentOfSample[0];")
    lines.append("}")
    if total and "tangent" in outputs:
        lines.append(f"tangent[0] = total_tangent{end};")
    if total and "value" in outputs:
        lines.append(f"return total_value{end};")
    return _arrow(body.parameters(reduce), lines)


def _row(body: Body, array: str, total: bool) -> str:
    """Return what the function of one sample gets as ``array``: a row, where every sample has its own."""
    if array == "tangent":
        return "tangentOfSample" if total else "tangent.subarray(i, i + 1)"
    for kind, width in body.widths.items():
        if body.differs(kind) and array in (ARRAYS[kind], f"{kind}_gradient"):
            return f"{array}.subarray(i * {width}, (i + 1) * {width})"
    return array


# --- the comment at the top -------------------------------------------------------------------------------------


def _comment(
    body: Body, name: str, batched: bool, reduce: str | None, legend: Mapping[str, Sequence[str]] | None
) -> list[str]:
    parameters = body.parameters(reduce)
    call = f"{name}({', '.join(parameters)})"
    lines = [call, "", *described(body, reduce, legend)]
    lines += [
        "An index counts from 0; out of range it chooses NaN among elements of arrays, the last of other numbers.",
        "",
    ]
    lines += ["    const n = 2;"] if batched else []
    for array in parameters[int(batched) :]:
        size = _size(body, array, batched) if array not in ("value", "tangent") or (batched and not reduce) else "1"
        made = f"new {'Int32' if array in INDICES else 'Float64'}Array({size})"
        lines.append(f"    const {array} = {made}{'.fill(0.5)' if array in _READ else ''};")
    lines.append(f"    console.log({call}{', '.join(['', *[x for x in parameters if x not in _READ and x != 'n']])});")
    return ["/*", *[f" * {line}".rstrip() for line in lines], " */"]


_READ = [ARRAYS[kind] for kind in ARRAYS if kind not in INDICES]


def _size(body: Body, array: str, batched: bool) -> str:
    for kind, width in body.widths.items():
        if array in (ARRAYS[kind], f"{kind}_gradient"):
            return f"n * {width}" if body.differs(kind) else str(width)
    return "n" if batched else "1"
