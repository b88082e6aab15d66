"""Protects the losses: their values against mpmath, their gradients, and that large logits cost neither any digits."""

from __future__ import annotations

import math
import re
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import micrograd as mg
from micrograd import Value, nn
from micrograd.errors import TraceError
from micrograd.testing import assert_gradients

logits = st.lists(st.one_of(st.floats(-5, 5), st.floats(-1e4, 1e4), st.sampled_from([1e300, -1e300, 0.0])), min_size=2)


def mp() -> Any:
    return pytest.importorskip("mpmath").mp


def close(got: float, exact: Any, relative: float = 1e-13) -> bool:
    return bool(abs(mp().mpf(got) - exact) <= relative * abs(exact) + 1e-300)


# --- values -----------------------------------------------------------------------------------------------------


@given(logits, st.integers(0, 100))
def test_cross_entropy_is_exact_for_any_logits(row: list[float], label: int) -> None:
    label %= len(row)
    m = mp()
    with m.workdps(60):
        gaps = [m.mpf(x) - m.mpf(row[label]) for x in row]
        peak = max(gaps)
        # -log softmax; log1p of the others keeps what is small
        others = m.fsum([m.exp(gap - peak) for gap in gaps]) - 1
        exact = peak + m.log1p(others)
        # a difference of two logits is rounded to the size of the larger one
        spread = max(map(abs, row)) * 2**-52
        assert abs(m.mpf(nn.cross_entropy(row, label)) - exact) <= spread + 1e-13 * exact + m.mpf("1e-300")


def test_a_small_cross_entropy_keeps_its_digits() -> None:
    m = mp()
    with m.workdps(60):
        assert close(nn.cross_entropy([40.0, 0.0], 0), m.log1p(m.exp(-40)))
        assert close(nn.cross_entropy([1e4 + 700.0, 1e4], 0), m.log1p(m.exp(-700)))
        assert close(nn.cross_entropy([1e300, 1e300], 1), m.log(2))
        assert nn.cross_entropy([1e300, -1e300], 1) == 2e300


@given(st.one_of(st.floats(-50, 50), st.floats(-1e4, 1e4), st.sampled_from([1e300, -1e300])), st.floats(0.0, 1.0))
def test_binary_cross_entropy_is_exact_for_any_logit(z: float, share: float) -> None:
    m = mp()
    with m.workdps(60):
        for t in (0.0, 1.0, share):
            # softplus(z) is the larger of z and 0 plus a rest, so that 1e300 needs no 1e300 digits
            plus, minus = (max(m.mpf(s * z), m.mpf(0)) + m.log1p(m.exp(-abs(m.mpf(z)))) for s in (1, -1))
            exact = m.mpf(t) * minus + (1 - m.mpf(t)) * plus
            assert close(nn.binary_cross_entropy(z, t), exact, 1e-15 * 8), (z, t)


def test_both_cross_entropies_agree() -> None:
    for z in (-800.0, -3.0, 0.0, 0.1, 40.0, 1e4):
        for label in (0, 1):
            assert nn.cross_entropy([0.0, z], label) == pytest.approx(nn.binary_cross_entropy(z, label), rel=1e-14)


def test_values_by_hand() -> None:
    assert nn.mean_squared_error([[1.0, 2.0], [3.0, 5.0]], [[1.0, 0.0], [0.0, 1.0]]) == (0 + 4 + 9 + 16) / 4
    assert nn.mean_squared_error(Value(3.0), 1.0).data == 4.0
    assert nn.hinge([2.0, 0.25, -3.0], [1, 1, 1]) == (0.0 + 0.75 + 4.0) / 3
    assert nn.hinge(Value(2.0), -1).data == 3.0
    assert nn.hinge([1e300], [-1.0]) == 1e300
    row = [0.0, math.log(3.0)]
    assert nn.cross_entropy([row, row], [0, 1]) == pytest.approx((math.log(4.0) + math.log(4.0 / 3.0)) / 2, rel=1e-15)


CALLS: dict[str, tuple[Any, Any, Any]] = {
    "mean_squared_error": (nn.mean_squared_error, [0.5, -1.0, 2.0], [0.0, 1.0, 1.5]),
    "hinge": (nn.hinge, [0.5, -1.0, 2.0], [1, 1, -1]),
    "cross_entropy": (nn.cross_entropy, [[0.5, -1.0], [2.0, 1.0], [0.0, 3.0]], [0, 1, 0]),
    "binary_cross_entropy": (nn.binary_cross_entropy, [0.5, -1.0, 2.0], [0, 1.0, 0.25]),
}


@pytest.mark.parametrize("name", CALLS)
def test_mean_sum_and_single_terms_belong_together(name: str) -> None:
    loss, outputs, targets = CALLS[name]
    terms = loss(outputs, targets, reduce=None)
    assert terms == [loss(x, t) for x, t in zip(outputs, targets)]
    assert loss(outputs, targets, reduce="sum") == mg.sum(terms)
    assert loss(outputs, targets) == mg.mean(terms)
    assert loss(outputs[:1], targets[:1], reduce=None) == terms[:1]


@pytest.mark.parametrize("name", CALLS)
def test_lists_arrays_tuples_and_iterators_are_the_same(name: str) -> None:
    loss, outputs, targets = CALLS[name]
    expected = loss(outputs, targets)
    assert loss(mg.array(outputs), np.array(targets)).data == expected
    assert loss(tuple(outputs), tuple(targets)) == expected
    assert loss(iter(outputs), iter(targets)) == expected
    assert loss(np.array(outputs), targets) == expected
    assert loss([np.float64(x) if isinstance(x, float) else np.array(x) for x in outputs], targets) == expected
    single = loss(outputs[0], np.array(targets)[0])
    assert single == loss(outputs[0], targets[0])
    assert loss(np.array(outputs)[0], np.array(targets[0])) == single


def test_nothing_overflows_before_the_loss_or_the_sum_of_a_batch_does() -> None:
    assert nn.cross_entropy([Value(1e308), Value(-1e308), Value(1e308)], 0).data == math.log(2.0)
    assert nn.cross_entropy([Value(8e307), Value(-8e307)], 1).data == 1.6e308
    assert nn.binary_cross_entropy(Value(-1.7e308), 1).data == 1.7e308
    assert nn.cross_entropy([Value(1e308), Value(-1e308)], 1).data == math.inf
    assert nn.cross_entropy([[Value(1e308), Value(0.0)]] * 2, [1, 1]).data == math.inf


# --- gradients --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("reduce", ["mean", "sum", None])
def test_gradients_are_right(name: str, reduce: str | None) -> None:
    loss, outputs, targets = CALLS[name]
    assert_gradients(lambda x: loss(x, targets, reduce=reduce), outputs)


def test_the_gradient_of_cross_entropy_is_softmax_minus_one_hot() -> None:
    row = [Value(x) for x in (1.0, -2.0, 0.5, 1e4, 9999.0)]
    nn.cross_entropy(row, 4).backward()
    softmax = [0.0, 0.0, 0.0, 1.0 / (1.0 + math.exp(-1.0)), 1.0 / (1.0 + math.exp(1.0))]
    assert [v.grad for v in row] == pytest.approx([*softmax[:4], softmax[4] - 1.0], abs=1e-15)


@given(logits, st.integers(0, 100))
def test_gradients_of_cross_entropy_stay_finite_and_add_up_to_zero(row: list[float], label: int) -> None:
    values = [Value(x) for x in row]
    nn.cross_entropy(values, label % len(row)).backward()
    assert all(abs(v.grad) <= 1.0 + 1e-15 for v in values)
    assert math.fsum(v.grad for v in values) == pytest.approx(0.0, abs=1e-13)


@given(st.one_of(st.floats(-1e3, 1e3), st.sampled_from([1e300, -1e300, 1e4, -1e4])), st.floats(0.0, 1.0))
def test_the_gradient_of_binary_cross_entropy_is_probability_minus_target(z: float, t: float) -> None:
    v = Value(z)
    nn.binary_cross_entropy(v, t).backward()
    assert v.grad == pytest.approx(mg.sigmoid(z) - t, abs=1e-15)


# --- compiled ---------------------------------------------------------------------------------------------------


def test_losses_work_where_they_are_compiled() -> None:
    rng = np.random.default_rng(1)
    scores, labels, targets = rng.normal(size=(5, 3)), rng.integers(0, 3, size=5), rng.normal(size=(5, 3))
    signs, odds = np.sign(targets), rng.uniform(size=(5, 3))
    cases: list[tuple[Any, Any]] = [
        (nn.mean_squared_error, targets),
        (nn.hinge, signs),
        (nn.binary_cross_entropy, odds),
        (nn.cross_entropy, labels),
    ]
    for loss, given_targets in cases:
        expected = mg.value_and_grad(partial(_with_targets, loss, given_targets))(scores)
        value, gradient = mg.compile(lossy(loss), backend="python").value_and_grad(scores, given_targets, argnums=0)
        assert value == pytest.approx(expected[0], rel=1e-14)
        np.testing.assert_allclose(gradient, expected[1], rtol=1e-13, atol=1e-16)


def lossy(loss: Any) -> Any:
    return lambda scores, targets: loss(scores, targets)


def _with_targets(loss: Any, targets: Any, scores: Any) -> Any:
    return loss(scores, targets)


def test_a_label_is_chosen_at_run_time() -> None:
    w = [Value(0.0), Value(1.0), Value(3.0)]
    one = mg.compile(lambda label: nn.cross_entropy(w, label), backend="python")
    assert [one(label) for label in range(3)] == [nn.cross_entropy(w, label).data for label in range(3)]
    assert len(one.variants) == 1
    batch = mg.compile(lambda label: nn.cross_entropy(w, label), batched="label", reduce="mean", backend="python")
    labels = np.array([0, 2, 2, 1])
    assert batch(labels) == pytest.approx(nn.cross_entropy([w] * 4, labels).data, rel=1e-15)
    for wrong in (-1, 3):  # as eager code says, though take() by itself counts from the end
        for call, argument in ((one, wrong), (batch, np.array([0, wrong]))):
            with pytest.raises(ValueError, match=f"label: a label is an int from 0 to 2, not {wrong}"):
                call(argument)


@pytest.mark.parametrize("wrong", [1.0, True, np.float32(1.0)])
def test_a_compiled_label_that_is_no_int_is_refused_with_what_to_do(wrong: Any) -> None:
    model = nn.MLP(2, [3, 3])
    with pytest.raises(TraceError) as caught:
        mg.compile(lambda x, y: nn.cross_entropy(model(x), y), backend="python")([0.0, 1.0], wrong)
    said, line = str(caught.value).splitlines()
    step = r"pass ints to the compiled function \(a bool is a float there\)"
    assert re.fullmatch(rf"a label is an int from 0 to 2, not the float <symbol %\d+>: {step}", said)
    assert re.match(r"  at test_losses.py, line \d+: mg.compile\(", line)
    with pytest.raises(TraceError, match="a label is an int from 0 to 2, not the float"):
        mg.compile(lambda y: nn.cross_entropy([[0.0, 1.0, 2.0]] * 2, y), backend="python")(np.array([1.0, 0.0]))


@pytest.mark.parametrize("wrong", [2**63, 2**64 - 1])
def test_a_label_beyond_all_ints_is_refused_in_the_words_of_eager_code(wrong: int) -> None:
    w = [Value(0.0), Value(1.0), Value(3.0)]
    said = f"a label is an int from 0 to 2, not {wrong}$"
    with pytest.raises(ValueError, match=f"^{said}"):
        nn.cross_entropy(w, wrong)
    one = mg.compile(lambda label: nn.cross_entropy(w, label), backend="python")
    each = mg.compile(lambda label: nn.cross_entropy(w, label), batched="label", reduce="mean", backend="python")
    for call, argument in ((one, wrong), (each, np.array([0, wrong], dtype=np.uint64))):
        with pytest.raises(ValueError, match=f"^label: {said}"):
            call(argument)
    pair = mg.compile(lambda y: nn.cross_entropy([w, w], y), batched="y", reduce="mean", backend="python")
    with pytest.raises(ValueError, match=f"^y, element 1: {said}"):
        pair(np.array([[0, 1], [2, wrong]], dtype=np.uint64))


# --- what cannot be used ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.cross_entropy([0.0, 1.0], 2), ValueError, "a label is an int from 0 to 1, not 2"),
        (lambda: nn.cross_entropy([0.0, 1.0], -1), ValueError, "a label is an int from 0 to 1, not -1"),
        (lambda: nn.cross_entropy([0.0, 1.0], 0.5), ValueError, r"from 0 to 1, not 0.5 \(type float\)"),
        (lambda: nn.cross_entropy([0.0, 1.0], math.nan), ValueError, "from 0 to 1, not nan"),
        (lambda: nn.cross_entropy([0.0, 1.0], 1.0), TypeError, r"not 1.0 \(type float\); convert it with int"),
        (lambda: nn.cross_entropy([0.0, 1.0], True), TypeError, r"not True; convert it with int"),
        (
            lambda: nn.cross_entropy([0.0, 1.0], "1"),
            TypeError,
            r"expected a label for every row but got '1' \(type str\)",
        ),
        (lambda: nn.cross_entropy([0.0, 1.0], None), TypeError, "not None"),
        (lambda: nn.cross_entropy([[0.0, 1.0]] * 2, [0]), ValueError, "2 rows of logits and 1 labels came"),
        (lambda: nn.cross_entropy([[0.0, 1.0]] * 2, [0, 5]), ValueError, "not 5"),
        (lambda: nn.cross_entropy([[0.0, 1.0]] * 2, 0), ValueError, "needs a label for every row"),
        (lambda: nn.cross_entropy(np.zeros((2, 2)), 0), ValueError, "needs a label for every row"),
        (lambda: nn.cross_entropy([], []), ValueError, "the batch is empty"),
        (lambda: nn.cross_entropy([], 0), ValueError, "an empty row came"),
        (lambda: nn.cross_entropy([[]], [0]), ValueError, "an empty row came"),
        (lambda: nn.cross_entropy(Value(0.0), 0), TypeError, "a model of one score has binary_cross_entropy"),
        (lambda: nn.cross_entropy([Value(0.0), Value(1.0)], [0, 1]), TypeError, "has binary_cross_entropy"),
        (lambda: nn.cross_entropy([0.0, 1.0], 0, reduce="average"), ValueError, "'mean', 'sum' or None"),
        (lambda: nn.binary_cross_entropy([0.0], [2]), ValueError, "a probability from 0 to 1, not 2.0"),
        (lambda: nn.binary_cross_entropy([0.0], [-1]), ValueError, "a probability from 0 to 1, not -1.0"),
        (lambda: nn.binary_cross_entropy([0.0], [math.nan]), ValueError, "a probability from 0 to 1, not nan"),
        (lambda: nn.hinge([0.0], [0]), ValueError, "a label of the hinge loss is -1 or 1, not 0.0"),
        (lambda: nn.hinge([0.0], [math.nan]), ValueError, "is -1 or 1, not nan"),
        (lambda: nn.hinge([0.0, 1.0], [1]), ValueError, r"scores of shape \(2,\) and targets of shape \(1,\) came"),
        (lambda: nn.hinge([], []), ValueError, "a loss over no scores is not defined; the batch is empty"),
        (lambda: nn.mean_squared_error([[0.0]], [0.0]), ValueError, r"shape \(1, 1\) and targets of shape \(1,\)"),
        (lambda: nn.mean_squared_error([[0.0], []], [[0.0], []]), ValueError, "rows of one length"),
        (lambda: nn.mean_squared_error([[]], [[]]), ValueError, "the batch is empty"),
        (lambda: nn.mean_squared_error(["0"], [0.0]), TypeError, "made of numbers and Values but got '0'"),
        (lambda: nn.mean_squared_error(None, 0.0), TypeError, "made of numbers and Values but got None"),
        (lambda: nn.mean_squared_error([0.0], [0.0], reduce="none"), ValueError, "'mean', 'sum' or None, not 'none'"),
    ],
)
def test_what_cannot_be_used_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.oracles
@given(st.lists(st.lists(st.floats(-30, 30), min_size=3, max_size=3), min_size=1, max_size=4), st.data())
def test_losses_equal_those_of_pytorch(rows: list[list[float]], data: st.DataObject) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch: pip install '.[oracles]'")
    f = torch.nn.functional
    labels = data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    soft = data.draw(
        st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=len(rows), max_size=len(rows))
    )
    assume(all(abs(1.0 - x * s) > 1e-9 for row in rows for x in row for s in (-1.0, 1.0)))
    pairs: list[tuple[Any, Any]] = [
        (lambda x: nn.cross_entropy(x, labels), lambda x: f.cross_entropy(x, torch.tensor(labels))),
        (lambda x: nn.mean_squared_error(x, soft), lambda x: f.mse_loss(x, torch.tensor(soft, dtype=torch.float64))),
        (
            lambda x: nn.binary_cross_entropy(x, soft),
            lambda x: f.binary_cross_entropy_with_logits(x, torch.tensor(soft, dtype=torch.float64)),
        ),
        (
            lambda x: nn.hinge(x, [[1.0, -1.0, 1.0]] * len(rows)),
            lambda x: f.relu(1 - torch.tensor([1, -1, 1]) * x).mean(),
        ),
    ]
    for ours, theirs in pairs:
        tensor = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
        expected = theirs(tensor)
        expected.backward()
        value, gradient = mg.value_and_grad(ours)(np.array(rows))
        assert value == pytest.approx(expected.item(), rel=1e-12, abs=1e-14)
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-12, atol=1e-14)
