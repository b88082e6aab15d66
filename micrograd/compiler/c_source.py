"""Export to C: a program as one C11 translation unit that needs nothing but the C library.

A big function is cut into parts, which hand numbers on in a workspace: the time that compilers take grows faster than
the length of a function.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from micrograd.compiler.program import Program
from micrograd.compiler.source_text import ARRAYS, INDICES, Body, Dialect, Unit, checked, described

__all__ = ["c_source"]

_LONGEST_PART = 2000  # about twice the number of statements in one C function

_UNARY = """
exp exp2 expm1 log log1p log2 log10 sqrt cbrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf erfc
"""
_SPELLING = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "abs": "fabs({0})",
    "gt": "{0} > {1} ? 1.0 : 0.0",
    "ge": "{0} >= {1} ? 1.0 : 0.0",
    "lt": "{0} < {1} ? 1.0 : 0.0",
    "le": "{0} <= {1} ? 1.0 : 0.0",
    "eq": "{0} == {1} ? 1.0 : 0.0",
    "isnan": "isnan({0}) ? 1.0 : 0.0",
    "where": "{0} != 0.0 ? {1} : {2}",
    "power": "pow({0}, {1})",
    **{name: f"{name}({{0}})" for name in _UNARY.split()},
    **{name: f"{name}({{0}}, {{1}})" for name in ("atan2", "hypot", "fmod", "copysign")},
}
_C = Dialect(_SPELLING, "const double", "double", "NAN", "INFINITY", "(double){}")

# of C11, of C23 and of C++, for who compiles it so
_KEYWORDS = """\
auto break case char const continue default do double else enum extern float for goto if inline int long register
restrict return short signed sizeof static struct switch typedef union unsigned void volatile while asm typeof alignas
alignof bool constexpr false nullptr static_assert thread_local true typeof_unqual and and_eq bitand bitor catch class
compl const_cast delete dynamic_cast explicit export friend mutable namespace new not not_eq operator or or_eq private
protected public reinterpret_cast template this throw try typeid typename using virtual wchar_t xor xor_eq
"""
# of math.h, also with f or l at the end, and macros and types that come with it
_MATHEMATICS = """\
acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs fdim floor fma fmax
fmin fmod frexp hypot ilogb ldexp lgamma llrint llround log log10 log1p log2 logb lrint lround modf nan nearbyint
nextafter nexttoward pow remainder remquo rint round scalbln scalbn sin sinh sqrt tan tanh tgamma trunc fpclassify
isfinite isgreater isgreaterequal isinf isless islessequal islessgreater isnan isnormal isunordered signbit NAN
INFINITY HUGE_VAL HUGE_VALF HUGE_VALL FP_INFINITE FP_NAN FP_NORMAL FP_SUBNORMAL FP_ZERO FP_ILOGB0 FP_ILOGBNAN
MATH_ERRNO MATH_ERREXCEPT math_errhandling NULL offsetof size_t ptrdiff_t max_align_t int64_t uint64_t double_t
float_t j0 j1 jn y0 y1 yn gamma signgam drem significand finite unix linux
"""
# functions that compilers know without any header
_LIBRARY = """\
main abort abs atexit atof atoi atol atoll bsearch calloc div exit free getenv labs ldiv llabs lldiv malloc mblen
qsort quick_exit rand realloc srand strtod strtof strtol strtoll strtoul strtoull system clearerr fclose feof ferror
fflush fgetc fgets fopen fprintf fputc fputs fread freopen fscanf fseek ftell fwrite getc getchar gets perror printf
putc putchar puts remove rename rewind scanf setbuf setvbuf snprintf sprintf sscanf tmpfile tmpnam ungetc vfprintf
vfscanf vprintf vscanf vsnprintf vsprintf vsscanf memchr memcmp memcpy memmove memset strcat strchr strcmp strcoll
strcpy strcspn strerror strlen strncat strncmp strncpy strpbrk strrchr strspn strstr strtok strxfrm isalnum isalpha
isblank iscntrl isdigit isgraph islower isprint ispunct isspace isupper isxdigit tolower toupper clock time raise
signal longjmp setjmp imaxabs imaxdiv iswalpha iswdigit towlower towupper cabs cacos cacosh carg casin casinh catan
catanh ccos ccosh cexp cimag clog conj cpow cproj creal csin csinh csqrt ctan ctanh
"""
_RESERVED = frozenset(
    [*_KEYWORDS.split(), *_LIBRARY.split(), *[x + end for x in _MATHEMATICS.split() for end in ("", "f", "l")]]
)


def c_source(
    program: Program,
    *,
    name: str = "f",
    batched: bool = False,
    reduce: str | None = None,
    widths: Mapping[str, int] | None = None,
    legend: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Return a C11 translation unit with one public function, which computes what ``program`` does.

    The function takes one array for each kind of leaf that occurs, then one for the gradients of each kind that has
    any, then ``tangent``; a comment at the top of the text shows the call. Nothing else has external linkage.

    Args:
        program: lowered.
        name: of the function; the names of what it is made of begin with it too.
        batched: take the number of samples first, and arrays of samples row by row. Gradients of what all samples
            share are sums over the samples.
        reduce: for a batch, ``"sum"``, ``"mean"``, or ``None`` for every sample's own value.
        widths: the number of elements of arrays by kind of leaf, where more than the program reads.
        legend: texts about arrays by kind of leaf, for the comment.

    Raises ``CompilationError`` for a program that is not lowered, ``ValueError`` for a name that C reserves or an
    unknown ``reduce``.

    >>> program = Program(["argument", "exp", "mul"], [(0,), (0,), (1, 0)], outputs={"value": 2})
    >>> print(c_source(program, name="xex", legend={"argument": ["x"]}).partition("*/")[2])
    <BLANKLINE>
    #include <math.h>
    #include <stddef.h>
    #include <stdint.h>
    <BLANKLINE>
    #if !defined(__GNUC__) || defined(__clang__)
    #pragma STDC FP_CONTRACT OFF
    #endif
    <BLANKLINE>
    double xex(const double *restrict argument)
    {
        const double v1 = exp(argument[0]);
        const double v2 = v1 * argument[0];
        return v2;
    }
    """
    checked(name, _RESERVED, "C", batched, reduce)
    body = Body(program, _C, batched=batched, widths=widths)
    inner = _Function(body, f"{name}_sample" if batched else name, public=not batched)
    functions = inner.text()
    if batched:
        functions += _batch(body, inner, name, reduce)
    prototype = _signature(body, name, body.parameters(reduce), reduce)
    return "\n".join([*_comment(body, prototype, name, batched, reduce, legend), *_HEAD, *functions, ""])


_HEAD = """\

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#if !defined(__GNUC__) || defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

""".splitlines()


def _declaration(array: str) -> str:
    if array == "n":
        return "size_t n"
    if array == "seed":
        return "double seed"
    if array.endswith("_gradient") or array in ("value", "tangent", "w"):
        return f"double *restrict {array}"
    return f"const {'int64_t' if array in INDICES else 'double'} *restrict {array}"


def _signature(body: Body, name: str, parameters: Iterable[str], reduce: str | None = "sum") -> str:
    returned = "double" if "value" in body.program.outputs and "value" not in parameters else "void"
    return f"{returned} {name}({', '.join(map(_declaration, parameters)) or 'void'})"


class _Function:
    """The C function of one sample, or of everything where there is no batch; and its parts, where it is long."""

    def __init__(self, body: Body, name: str, public: bool) -> None:
        self.body = body
        self.name = name
        self.public = public
        self.parts = _parts(body.units)
        self.home = {unit.defines: k for k, part in enumerate(self.parts) for unit in part if unit.defines is not None}
        self.slots: dict[int, int] = {}
        if len(self.parts) > 1:
            for k, part in enumerate(self.parts):
                for unit in part:
                    self.share([x for x in unit.reads if self.home.get(x, k) != k])
            self.share([x for x in body.program.outputs.values() if x in self.home])
        self.used = self.arrays(body.units, [x for key, x in body.program.outputs.items() if key == "value"])
        self.used |= {f"{kind}_gradient" for kind in body.gradients}
        order = ["seed", *body.parameters_of_one()]
        self.parameters = order[1:] if public else [array for array in order if array in self.used]

    def share(self, numbers: Iterable[int]) -> None:
        for x in numbers:
            self.slots.setdefault(x, len(self.slots))

    def arrays(self, units: Iterable[Unit], others: Iterable[int] = ()) -> set[str]:
        found = {self.body.array_of(x) for x in others}
        for unit in units:
            found.add(unit.writes)
            found.update(map(self.body.array_of, unit.reads))
        return found - {""}

    def read(self, x: int, part: int) -> str:
        leaf = self.body.leaf(x)
        if leaf is not None:
            return leaf
        return f"v{x}" if self.home[x] == part else f"w[{self.slots[x]}]"

    def lines(self, part: int) -> list[str]:
        read = lambda x: self.read(x, part)
        lines = []
        for unit in self.parts[part]:
            lines += unit.lines(read)
            if unit.defines in self.slots:
                lines.append(f"w[{self.slots[unit.defines]}] = v{unit.defines};")
        return lines

    def text(self) -> list[str]:
        body = self.body
        unused = [array for array in self.parameters if array not in self.used]
        start = [f"(void){array};" for array in unused]
        if self.public and body.has_seed:
            start.append("const double seed = 1.0;")
        for kind, zeroed in body.gradients.items():
            if zeroed and (not body.batched or body.differs(kind)):
                start.append(_zeros(f"{kind}_gradient", body.widths[kind]))
        signature = ("" if self.public else "static ") + _signature(body, self.name, self.parameters)
        value = body.program.outputs.get("value")
        if len(self.parts) == 1:
            end = [] if value is None else [f"return {self.read(value, 0)};"]
            return _block(signature, [*start, *self.lines(0), *end])
        text = []
        for k, part in enumerate(self.parts):
            used = self.arrays(part)
            arrays = ["w", *[array for array in ["seed", *body.parameters_of_one()] if array in used]]
            text += [
                *_block(f"static void {self.name}_part{k}({', '.join(map(_declaration, arrays))})", self.lines(k)),
                "",
            ]
            start.append(f"{self.name}_part{k}({', '.join(arrays)});")
        end = [] if value is None else [f"return {self.read(value, -1)};"]
        return [*text, *_block(signature, [f"static _Thread_local double w[{len(self.slots) + 1}];", *start, *end])]


def _parts(units: Iterable[Unit]) -> list[list[Unit]]:
    parts: list[list[Unit]] = [[]]
    length = 0
    for unit in units:
        length += 1 + len(unit.reads) // 2  # a chain has a statement for two operands
        if length > _LONGEST_PART and parts[-1]:
            parts.append([])
            length = 0
        parts[-1].append(unit)
    return parts


def _block(head: str, lines: Iterable[str]) -> list[str]:
    return [*_wrapped(head), "{", *[f"    {line}" for line in lines], "}"]


def _wrapped(signature: str) -> list[str]:
    return textwrap.wrap(signature, 110, subsequent_indent="    ", break_long_words=False)


def _zeros(array: str, width: int) -> str:
    return f"for (size_t k = 0; k < {width}; k++) {{ {array}[k] = 0.0; }}"


def _batch(body: Body, inner: _Function, name: str, reduce: str | None) -> list[str]:
    """Return the function that runs over the samples."""
    parameters = body.parameters(reduce)
    outputs = body.program.outputs
    mean, total = reduce == "mean", reduce is not None
    lines = [f"(void){array};" for array in parameters[1:] if array not in {*inner.used, "value", "tangent"}]
    if body.has_seed:
        lines.append(f"const double seed = {'1.0 / (double)n' if mean else '1.0'};")
    for kind in body.gradients:
        if not body.differs(kind):
            lines.append(_zeros(f"{kind}_gradient", body.widths[kind]))
    if total:
        lines += [f"double total_{key} = 0.0;" for key in outputs]
    arguments = ", ".join([_row(body, array, total) for array in inner.parameters])
    lines.append("for (size_t i = 0; i < n; i++) {")
    if total and "tangent" in outputs:
        lines.append("    double tangent_of_sample;")
    call = f"{inner.name}({arguments});"
    lines.append(f"    {'' if 'value' not in outputs else 'total_value += ' if total else 'value[i] = '}{call}")
    if total and "tangent" in outputs:
        lines.append("    total_tangent += tangent_of_sample;")
    lines.append("}")
    if total:
        results = {key: f"total_{key}{' / (double)n' if mean else ''};" for key in outputs}
        lines += [f"tangent[0] = {results['tangent']}"] if "tangent" in results else []
        lines += [f"return {results['value']}"] if "value" in results else []
    return ["", *_block(_signature(body, name, parameters), lines)]


def _row(body: Body, array: str, total: bool) -> str:
    """Return what the function of one sample gets as ``array``: a row, where every sample has its own."""
    if array == "tangent":
        return "&tangent_of_sample" if total else "tangent + i"
    for kind, width in body.widths.items():
        if body.differs(kind) and array in (ARRAYS[kind], f"{kind}_gradient"):
            return f"{array} + i * {width}"
    return array


# --- the comment at the top -------------------------------------------------------------------------------------


def _comment(
    body: Body,
    prototype: str,
    name: str,
    batched: bool,
    reduce: str | None,
    legend: Mapping[str, Sequence[str]] | None,
) -> list[str]:
    lines = [
        *_wrapped(f"{prototype};"),
        "",
        *described(body, reduce, legend),
        "No two arrays overlap. An index counts from 0; out of range it chooses nan among elements of arrays, the last",
        "of other numbers, and nothing outside an array is read or written. Compile with -std=c11, or with",
        "-ffp-contract=off, and link with -lm:",
        "",
        *_example(body, prototype, name, batched, reduce),
    ]
    return ["/*", *[f" * {line}".rstrip() for line in lines], " */"]


def _example(body: Body, prototype: str, name: str, batched: bool, reduce: str | None) -> list[str]:
    parameters = body.parameters(reduce)
    lines = []
    for array in parameters:
        if array == "n":
            lines.append("const size_t n = 2;")
            continue
        kind = next((kind for kind in body.widths if array in (ARRAYS[kind], f"{kind}_gradient")), "")
        per_sample = body.differs(kind) or (not kind and batched and reduce is None)
        size = body.widths.get(kind, 1) * (2 if per_sample else 1)
        if array in INDICES:
            lines.append(f"const int64_t {array}[{size}] = {{0}};")
        elif array == ARRAYS.get(kind):
            numbers = ", ".join(["0.5"] * size) if size <= 8 else "0.5"
            lines.append(f"const double {array}[{size}] = {{{numbers}}};")
        else:
            lines.append(f"double {array}[{size}];")
    call = f"{name}({', '.join(parameters)})"
    if "value" in parameters or "value" not in body.program.outputs:
        lines.append(f"{call};")
    else:
        lines.append(f'printf("value %.17g\\n", {call});')
    for array in parameters:
        if array.endswith("_gradient") or array in ("value", "tangent"):
            lines.append(f'printf("{array}[0] %.17g\\n", {array}[0]);')
    return [
        "    #include <stddef.h>",
        "    #include <stdint.h>",
        "    #include <stdio.h>",
        *[f"    {line}" for line in _wrapped(f"{prototype};")],
        *[f"    {line}" for line in _block("int main(void)", [*lines, "return 0;"])],
    ]
