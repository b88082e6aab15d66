"""Protects the GPT and its parts: microgpt's shape and numbers, gradients, compiled code with tokens chosen at run
time, attention that never looks ahead, and texts that are drawn.
"""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, nn
from micrograd.errors import TraceError
from micrograd.testing import assert_gradients

Matrix = Any


def small(vocabulary: int = 5, block: int = 4, layers: int = 1, seed: int = 0) -> nn.GPT:
    model = nn.GPT(vocabulary, block, width=4, heads=2, layers=layers, rng=random.Random(seed))
    for p in model.parameters():
        p.data *= 10.0  # far from the symmetric start
    return model


# --- microgpt in plain floats -----------------------------------------------------------------------------------


def by_hand(model: nn.GPT, tokens: list[int]) -> list[list[float]]:
    """The logits of every position, in plain Python on the parameters' numbers, whole matrices at a time."""
    names = {name: p.data for name, p in model.named_parameters()}

    def matrix(name: str) -> list[list[float]]:
        rows: dict[int, list[float]] = {}
        for key, x in names.items():
            head, _, rest = key.partition(f"{name}.w.")
            if rest and not head:
                rows.setdefault(int(rest.split(".")[0]), []).append(x)
        return [rows[i] for i in range(len(rows))]

    def times(m: list[list[float]], x: list[float]) -> list[float]:
        return [math.fsum(a * b for a, b in zip(row, x)) for row in m]

    def normed(x: list[float]) -> list[float]:
        return [v / math.sqrt(math.fsum(v * v for v in x) / len(x) + 1e-5) for v in x]

    token, position = matrix("token"), matrix("position")
    xs = [normed([a + b for a, b in zip(token[t], position[i])]) for i, t in enumerate(tokens)]
    for k in range(len(model.layers)):
        part = {n: matrix(f"layers.{k}.attention.{n}") for n in ("query", "key", "value", "output")}
        qs, ks, vs = ([times(part[n], normed(x)) for x in xs] for n in ("query", "key", "value"))
        seen: list[list[float]] = []
        for i in range(len(xs)):
            row: list[float] = []
            for h in (slice(0, 2), slice(2, 4)):
                scores = [math.fsum(a * b for a, b in zip(qs[i][h], ks[j][h])) / math.sqrt(2) for j in range(i + 1)]
                powers = [math.exp(s - max(scores)) for s in scores]
                shares = [p / math.fsum(powers) for p in powers]
                row += [
                    math.fsum(s * v for s, v in zip(shares, column)) for column in zip(*[v[h] for v in vs[: i + 1]])
                ]
            seen.append(times(part["output"], row))
        xs = [[a + b for a, b in zip(x, s)] for x, s in zip(xs, seen)]
        widen, narrow = matrix(f"layers.{k}.widen"), matrix(f"layers.{k}.narrow")
        wide = [[max(v, 0.0) for v in times(widen, normed(x))] for x in xs]
        xs = [[a + b for a, b in zip(x, times(narrow, w))] for x, w in zip(xs, wide)]
    return [times(matrix("readout"), x) for x in xs]


@pytest.mark.parametrize("layers", [1, 2])
def test_logits_and_loss_are_those_of_the_formulas(layers: int) -> None:
    model = small(layers=layers)
    tokens = [4, 0, 3, 3]
    expected = by_hand(model, tokens)
    found = model(tokens)
    assert [len(row) for row in found] == [5] * 4
    for row, wanted in zip(found, expected):
        assert [v.data for v in row] == pytest.approx(wanted, rel=1e-12, abs=1e-12)
    losses = [math.log(math.fsum(map(math.exp, row))) - row[t] for row, t in zip(expected, [0, 3, 3, 1])]
    assert model.loss([*tokens, 1]).data == pytest.approx(math.fsum(losses) / 4, rel=1e-12)


def test_the_shape_is_microgpts() -> None:
    model = nn.GPT(27, 16, rng=random.Random(0))
    assert len(model.parameters()) == 4192
    assert repr(model) == "GPT(27 tokens, block 16, width 16, 4 heads, 1 layer, 4,192 parameters)"
    numbers = [p.data for p in model.parameters()]
    draws = random.Random(0)
    assert numbers == [draws.gauss(0.0, 0.08) for _ in range(4192)]
    assert model.loss([26, 4, 12, 12, 0, 26]).data == pytest.approx(math.log(27), abs=0.1)
    assert [name for name in model.state_dict() if name.endswith(".0.0")] == [
        "token.w.0.0",
        "position.w.0.0",
        *[f"layers.0.attention.{n}.w.0.0" for n in ("query", "key", "value", "output")],
        "layers.0.widen.w.0.0",
        "layers.0.narrow.w.0.0",
        "readout.w.0.0",
    ]


# --- gradients --------------------------------------------------------------------------------------------------


def with_parameters(model: nn.Module, values: list[Any]) -> None:
    """Put ``values`` where the parameters of ``model`` are: all of them stand in matrices ``w``."""
    rest = iter(values)

    def place(module: nn.Module) -> None:
        for name, part in vars(module).items():
            if name == "w":
                module.w = [[next(rest) for _ in row] for row in part]  # type: ignore[attr-defined]
            for inner in part if isinstance(part, list) else [part]:
                if isinstance(inner, nn.Module):
                    place(inner)

    place(model)


ROWS = [[0.5, -1.0, 2.0, 0.25], [1.0, 0.5, -0.5, 0.75]]
PARTS: dict[str, tuple[Any, Any]] = {
    "Linear": (lambda: nn.Linear(4, 2, rng=random.Random(1)), lambda part: part(ROWS[0])),
    "Embedding": (lambda: nn.Embedding(3, 2, rng=random.Random(1)), lambda part: [*part(2), *part(0), *part(2)]),
    "CausalSelfAttention": (
        lambda: nn.CausalSelfAttention(4, 2, rng=random.Random(1)),
        lambda part: mg.sum([v * v for row in part(ROWS) for v in row]),
    ),
    "Block": (
        lambda: nn.Block(4, 2, rng=random.Random(1)),
        lambda part: mg.sum([v * v for row in part(ROWS) for v in row]),
    ),
    "GPT": (lambda: small(3, 2), lambda part: part.loss([2, 0, 1])),
}


@pytest.mark.parametrize("name", PARTS)
def test_gradients_of_the_parameters_are_right(name: str) -> None:
    build, call = PARTS[name]
    numbers = [p.data for p in build().parameters()]

    def of_its_parameters(values: list[Value]) -> Any:
        part = build()
        with_parameters(part, values)
        return call(part)

    assert_gradients(of_its_parameters, numbers, order=2 if name in ("Linear", "Embedding") else 1)


@pytest.mark.parametrize("name", ["Linear", "RMSNorm", "CausalSelfAttention", "Block"])
def test_gradients_of_the_inputs_are_right(name: str) -> None:
    part = nn.RMSNorm(4) if name == "RMSNorm" else PARTS[name][0]()
    single = name in ("Linear", "RMSNorm")
    assert_gradients(lambda rows: part(rows[0]) if single else part(rows), ROWS, order=2 if single else 1)


def test_a_norm_makes_the_mean_square_one() -> None:
    out = nn.RMSNorm(3, epsilon=0.0)([Value(3.0), Value(-4.0), Value(12.0)])
    assert math.fsum(v.data**2 for v in out) / 3 == pytest.approx(1.0, rel=1e-15)
    assert out[2].data / out[0].data == pytest.approx(4.0, rel=1e-15)
    assert nn.RMSNorm(3)([0.0, 0.0, 0.0]) == [0.0, 0.0, 0.0]


# --- attention --------------------------------------------------------------------------------------------------


def test_no_position_looks_ahead() -> None:
    model = small(layers=2)
    here, other = model([4, 0, 1, 2]), model([4, 0, 3, 3])
    assert [v.data for row in here[:2] for v in row] == [v.data for row in other[:2] for v in row]
    assert [v.data for v in here[2]] != [v.data for v in other[2]]
    mg.sum(here[1]).backward()
    reached = [any(p.grad != 0.0 for p in row) for row in (*model.token.w, *model.position.w)]
    assert reached == [
        True,
        False,
        False,
        False,
        True,
        *[True, True, False, False],
    ]  # tokens 4 and 0, positions 0 and 1


def test_attention_can_be_asked_for() -> None:
    model = small(layers=2)
    weights = model.attention([4, 0, 3])
    assert (len(weights), len(weights[0])) == (2, 2)
    for layer in weights:
        for head in layer:
            assert [len(row) for row in head] == [1, 2, 3]
            for row in head:
                assert math.fsum(v.data for v in row) == pytest.approx(1.0, rel=1e-14)
                assert all(v.data > 0.0 for v in row)
    one = nn.CausalSelfAttention(4, 2, rng=random.Random(1))
    by_head = one.weights(ROWS)
    assert [len(row) for row in by_head[1]] == [1, 2]
    query, key = one.query(ROWS[1]), [one.key(row) for row in ROWS]
    scores = [mg.dot(query[2:], k[2:]).data / math.sqrt(2) for k in key]
    assert [v.data for v in by_head[1][1]] == pytest.approx(mg.softmax(scores), rel=1e-13)


# --- compiled ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["python", "llvm"])
def test_eager_and_compiled_agree_with_tokens_chosen_at_run_time(backend: str) -> None:
    if backend == "llvm":
        pytest.importorskip("llvmlite")
    model = small(layers=2)
    documents = np.array([[4, 0, 1, 2, 4], [4, 3, 3, 0, 4], [4, 1, 1, 1, 4]])
    eager = mg.mean([model.loss(document) for document in documents])
    eager.backward()
    gradients = [p.grad for p in model.parameters()]
    compiled = mg.compile(model.loss, batched="tokens", reduce="mean", backend=backend)
    model.zero_grad()
    assert compiled.backward(documents) == pytest.approx(eager.data, rel=1e-13)
    assert [p.grad for p in model.parameters()] == pytest.approx(gradients, rel=1e-10, abs=1e-13)
    one = mg.compile(model.loss, backend=backend)
    for document in documents.tolist():
        assert one(document) == pytest.approx(model.loss(document).data, rel=1e-13)
    assert len(one.variants) == 1


def refusal_of(call: Any, *args: Any) -> str:
    with pytest.raises(ValueError, match="is an int from 0 to") as caught:
        call(*args)
    return str(caught.value)


@pytest.mark.parametrize("wrong", [-1, 5])
@pytest.mark.parametrize("place", [0, 2, 4])
def test_compiled_code_refuses_the_same_tokens(place: int, wrong: int) -> None:
    model = small()
    tokens = [4, 0, 1, 2, 4]
    tokens[place] = wrong
    said = f"a token is an int from 0 to 4, not {wrong}"
    assert refusal_of(model.loss, tokens) == said
    assert refusal_of(mg.compile(model.loss, backend="python"), tokens) == f"tokens[{place}]: {said}"
    batch = mg.compile(model.loss, batched="tokens", reduce="mean", backend="python")
    assert refusal_of(batch, np.array([[4, 0, 1, 2, 4], tokens])) == f"tokens, element {place}: {said}"


@pytest.mark.parametrize("wrong", [-1, 3])
def test_a_compiled_embedding_refuses_the_same_tokens(wrong: int) -> None:
    table = nn.Embedding(3, 2)
    said = f"a row of {table!r} is an int from 0 to 2, not {wrong}"
    assert refusal_of(table, wrong) == said
    assert refusal_of(mg.compile(lambda t: mg.sum(table(t)), backend="python"), wrong) == f"t: {said}"


def test_compiled_tokens_that_are_no_ints_are_refused_with_what_to_do() -> None:
    step = r"the float <symbol %0>: pass ints to the compiled function"
    with pytest.raises(TraceError, match=f"^a token is an int from 0 to 4, not {step}"):
        mg.compile(small().loss, backend="python")([4.0, 0.0, 1.0])
    table = nn.Embedding(3, 2)
    for wrong in (1.0, True):
        with pytest.raises(TraceError, match=rf"^a row of Embedding\(.*\) is an int from 0 to 2, not {step}"):
            mg.compile(lambda t: mg.sum(table(t)), backend="python")(wrong)


@pytest.mark.slow
def test_microgpts_size_agrees_compiled() -> None:
    pytest.importorskip("llvmlite")
    model = nn.GPT(27, 16, rng=random.Random(0))
    rng = np.random.default_rng(0)
    documents = rng.integers(0, 27, size=(4, 9))
    eager = mg.mean([model.loss(document) for document in documents])
    eager.backward()
    gradients = [p.grad for p in model.parameters()]
    model.zero_grad()
    assert mg.compile(model.loss, batched="tokens", reduce="mean").backward(documents) == pytest.approx(
        eager.data, rel=1e-12
    )
    assert [p.grad for p in model.parameters()] == pytest.approx(gradients, rel=1e-9, abs=1e-13)


# --- learning and drawing ---------------------------------------------------------------------------------------


def trained(model: nn.GPT, document: list[int], steps: int, rate: float) -> float:
    """Train as one writes it by hand, with Adam on plain lists; return the last loss."""
    parameters = model.parameters()
    m, v = [0.0] * len(parameters), [0.0] * len(parameters)
    loss = model.loss(document)
    for step in range(1, steps + 1):
        model.zero_grad()
        loss.backward()
        for i, p in enumerate(parameters):
            m[i] = 0.9 * m[i] + 0.1 * p.grad
            v[i] = 0.99 * v[i] + 0.01 * p.grad * p.grad
            p.data -= rate * (m[i] / (1 - 0.9**step)) / (math.sqrt(v[i] / (1 - 0.99**step)) + 1e-8)
        loss = model.loss(document)
    return float(loss.data)


def test_a_text_is_learned_by_heart_and_drawn_again() -> None:
    model = nn.GPT(5, 6, width=8, heads=2, rng=random.Random(0))
    document = [4, 0, 1, 0, 2, 3, 4]
    assert model.loss(document).data > 1.5
    assert trained(model, document, 80, 0.03) < 0.01
    assert model.generate(4, rng=random.Random(0), temperature=0.2, stop=4) == [0, 1, 0, 2, 3]
    assert model.generate([4, 0, 1], rng=random.Random(1), temperature=0.2, stop=4) == [0, 2, 3]


def test_drawing_fills_the_block_stops_and_is_seeded() -> None:
    model = small()
    texts = [model.generate(4, rng=random.Random(seed)) for seed in range(40)]
    assert texts == [model.generate([4], rng=random.Random(seed)) for seed in range(40)]
    assert all(len(text) == 4 and set(text) <= set(range(5)) for text in texts)
    assert len({tuple(text) for text in texts}) > 5
    stopped = [model.generate(4, rng=random.Random(seed), stop=0) for seed in range(40)]
    assert [] in stopped
    assert stopped == [text[: text.index(0)] if 0 in text else text for text in texts]
    random.seed(3)
    assert model.generate(4) == model.generate(4, rng=random.Random(3))
    assert all(p.grad == 0.0 for p in model.parameters())


@pytest.mark.parametrize("temperature", [1e-320, 1e-6, 1e-2])
def test_in_the_cold_the_likeliest_token_is_drawn(temperature: float) -> None:
    model = small()
    tokens = [4]
    for _ in range(3):
        logits = [v.data for v in model(tokens)[-1]]
        tokens.append(logits.index(max(logits)))
    assert model.generate(4, rng=random.Random(0), temperature=temperature)[:3] == tokens[1:]


def test_a_temperature_is_any_number() -> None:
    model = small()
    expected = model.generate(4, rng=random.Random(0), temperature=0.5)
    for temperature in (np.float32(0.5), np.float64(0.5), Fraction(1, 2)):
        assert model.generate(4, rng=random.Random(0), temperature=temperature) == expected  # type: ignore[arg-type]


def test_sizes_of_numpy_become_plain_ints() -> None:
    sizes = [np.int64(n) for n in (5, 4, 4, 2, 1)]
    model = nn.GPT(*sizes, rng=random.Random(0))  # type: ignore[arg-type]
    assert repr(model) == "GPT(5 tokens, block 4, width 4, 2 heads, 1 layer, 248 parameters)"
    attention = nn.Block(*sizes[2:4]).attention  # type: ignore[arg-type]
    kinds = {type(n) for n in (model.norm.width, model.layers[0].attention.heads, attention.heads)}
    assert kinds == {int}
    assert model.state_dict() == nn.GPT(5, 4, 4, 2, 1, rng=random.Random(0)).state_dict()


def test_drawing_keeps_no_graph() -> None:
    class Watched(nn.GPT):
        def _step(self, *arguments: Any) -> Any:
            logits, weights = super()._step(*arguments)
            assert all(v.parents == () for v in logits)
            return logits, weights

    assert len(Watched(5, 4, width=4, heads=2).generate(4)) == 4


def test_tokens_are_drawn_by_their_probabilities() -> None:
    model = small(block=1)
    for temperature in (1.0, 0.5):
        shares = mg.softmax([v.data / temperature for v in model([2])[0]])
        rng = random.Random(0)
        drawn = [model.generate(2, rng=rng, temperature=temperature)[0] for _ in range(1500)]
        for token, share in enumerate(shares):
            expected = 1500 * share
            assert abs(drawn.count(token) - expected) < 4 * math.sqrt(expected * (1 - share)) + 1, token


# --- what cannot be used ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m([]), ValueError, "this GPT takes 1 to 4 tokens here, 0 came"),
        (lambda m: m([0] * 5), ValueError, "takes 1 to 4 tokens here, 5 came"),
        (lambda m: m.loss([0]), ValueError, "takes 2 to 5 tokens here, 1 came"),
        (lambda m: m.loss([0] * 6), ValueError, "takes 2 to 5 tokens here, 6 came"),
        (lambda m: m([5]), ValueError, "a token is an int from 0 to 4, not 5"),
        (lambda m: m([-1]), ValueError, "a token is an int from 0 to 4, not -1"),
        (lambda m: m.loss([0, 1, 9]), ValueError, "a token is an int from 0 to 4, not 9"),
        (lambda m: m([0.5]), ValueError, "a token is an int from 0 to 4, not 0.5"),
        (lambda m: m([1.0]), TypeError, "convert it with int"),
        (lambda m: m("abc"), TypeError, "expected a list of tokens but got 'abc'"),
        (lambda m: m(3), TypeError, "expected a list of tokens but got 3"),
        (lambda m: m.generate([]), ValueError, "takes 1 to 4 tokens here, 0 came"),
        (lambda m: m.generate(7), ValueError, "a token is an int from 0 to 4, not 7"),
        (lambda m: m.generate(0, temperature=0.0), ValueError, "the temperature is a positive number, not 0.0"),
        (lambda m: m.generate(0, temperature="hot"), ValueError, "a positive number, not 'hot'"),
        (lambda m: m.generate(0, temperature=10**400), ValueError, "a positive number, not 1000"),
        (lambda m: m.generate(0, temperature=np.float32("nan")), ValueError, "a positive number, not np.float32"),
        (lambda m: m.generate(0, temperature=math.inf), ValueError, "a positive number, not inf"),
        (lambda m: m.generate(0, stop=5), ValueError, "the token that stops is an int from 0 to 4, not 5"),
        (lambda m: m.generate(0, rng=1), TypeError, "a source of random numbers"),
        (lambda m: nn.GPT(5, 4, width=6, heads=4), ValueError, "4 heads do not divide a row of 6"),
        (lambda m: nn.GPT(0, 4), ValueError, "the size of a vocabulary is at least 1, not 0"),
        (lambda m: nn.GPT(5, 4, layers=0), ValueError, "the size of layers is at least 1"),
        (lambda m: nn.GPT(5, 2.5), TypeError, "the size of a block is an int"),  # type: ignore[arg-type]
        (lambda m: nn.GPT(5, True), TypeError, "the size of a block is an int, not True"),
        (lambda m: nn.GPT(5, 4, np.int64(0)), ValueError, "the size of a row is at least 1, not 0"),  # type: ignore[arg-type]
        (lambda m: nn.CausalSelfAttention(4, 2)([[1.0] * 3]), ValueError, "takes 4 inputs, 3 came"),
        (lambda m: nn.Block(4, 2)([[1.0] * 3]), ValueError, r"RMSNorm\(4\) takes 4 inputs, 3 came"),
        (lambda m: nn.Embedding(3, 2)(3), ValueError, "an int from 0 to 2, not 3"),
        (lambda m: nn.RMSNorm(2, epsilon=-1.0), ValueError, "epsilon is a number from 0 on"),
    ],
)
def test_what_cannot_be_used_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(small())


def test_a_model_that_broke_down_draws_nothing() -> None:
    model = small()
    model.readout.w[0][0].data = math.nan
    with pytest.raises(ValueError, match="the model's logits are not finite numbers"):
        model.generate(0)


def test_pairs_of_tokens_are_what_the_loss_learns() -> None:
    model = small()
    tokens = [4, 0, 1, 2]
    logits = model(tokens[:-1])
    terms = [nn.cross_entropy(row, target) for row, (_, target) in zip(logits, pairwise(tokens))]
    assert model.loss(tokens).data == mg.mean(terms).data
