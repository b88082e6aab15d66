"""``micrograd demo``: the main job on real data.

A network learns to tell three species of iris apart, scalar by scalar. Then the account of one bias: it feeds the sum
of every training flower, so its gradient is a sum with one contribution for each of them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from micrograd._console import error_line, number, paragraph, print_table, progress, say
from micrograd._deps import is_installed
from micrograd._modes import no_grad, pause_gc, scope
from micrograd.cli.iris import SPECIES, Flower, load, split, standardised
from micrograd.cli.parser import Parser, checked
from micrograd.cli.picture_files import write_picture
from micrograd.engine import Value
from micrograd.graph import Account, explain, statistics
from micrograd.nn import MLP
from micrograd.ops.reductions import logsumexp, mean
from micrograd.pictures import draw, explore

__all__ = ["run"]

_PROGRAM = "micrograd demo"
_EXPLAINED = "versicolor"  # the species in the middle: it is mistaken for the others, and they for it
_LARGEST_PAGE, _SMALLER = 2_000, 16  # nodes of a page, hidden neurons of a network that stays below
_FIRST, _LAST = 5, 3  # lines of the account that are shown without --all


def run(arguments: Sequence[str]) -> int:
    """Run the command with its ``arguments`` and return its exit code."""
    parser = Parser(
        "demo",
        usage="[--epochs N] [--hidden H] [--rate R] [--seed S] [--all] [--folder DIR]",
        description="Train a small network on Fisher's irises, then account for the gradient of one bias.",
    )
    count = checked(int, "a whole number from 1 to 100000", lambda n: 1 <= n <= 100_000)
    size = checked(int, "a whole number from 1 to 1000", lambda n: 1 <= n <= 1_000)
    rate = checked(float, "a positive number", lambda x: 0.0 < x < math.inf)
    seed = checked(int, "a whole number, 0 or larger", lambda n: n >= 0)
    parser.add_argument("--epochs", type=count, default=100, metavar="N", help="steps of training (default: 100)")
    parser.add_argument("--hidden", type=size, default=8, metavar="H", help="neurons of the hidden layer (default: 8)")
    parser.add_argument("--rate", type=rate, default=0.5, metavar="R", help="length of a step (default: 0.5)")
    parser.add_argument("--seed", type=seed, default=0, metavar="S", help="seed of split and start (default: 0)")
    parser.add_argument("--all", action="store_true", help="print every line of the account")
    parser.add_argument(
        "--folder", default="micrograd-demo", metavar="DIR", help="for the pictures (default: ./micrograd-demo)"
    )
    options = parser.parse_args(arguments)

    rng = random.Random(options.seed)
    training, held_out = split(load(), rng)
    training, held_out = standardised(training, training), standardised(held_out, training)
    model = MLP(4, [options.hidden, len(SPECIES)], rng=rng)
    before = _assess(model, training)
    _introduce(model, training, held_out, options.seed)
    if not _train(model, training, options.epochs, options.rate):
        error_line(_PROGRAM, "the loss is not finite any more; try a smaller --rate")
        return 1
    figures = {"training, before": before, "training": _assess(model, training), "held out": _assess(model, held_out)}
    say()
    print_table(("flowers", "loss", "right", "accuracy"), [[name, *row] for name, row in figures.items()])
    _list_mistakes(model, held_out)
    status = _account_for_bias(model, training, options.all)
    _suggest()
    return max(status, 0 if _draw(model, training, Path(options.folder)) else 1)


# --- learning ---------------------------------------------------------------------------------------------------


def _loss(
    model: MLP, flowers: Sequence[Flower], within: Callable[[Flower], AbstractContextManager[None]] | None = None
) -> tuple[Value, int]:
    """Return the mean cross-entropy of the softmax of the scores, and how many flowers are told apart correctly."""
    losses, right = [], 0
    for flower in flowers:
        with within(flower) if within else nullcontext():
            scores = model(flower.measurements)
            losses.append(logsumexp(scores) - scores[flower.label])
        right += _guess(scores) == flower.species
    return mean(losses), right


def _guess(scores: Sequence[Value]) -> str:
    return SPECIES[max(range(len(SPECIES)), key=lambda k: scores[k].data)]


def _train(model: MLP, flowers: Sequence[Flower], epochs: int, rate: float) -> bool:
    """Go downhill, one step per epoch with the gradient of all flowers; tell whether the loss stayed finite."""
    with progress("training", epochs) as advance, pause_gc():
        for _ in range(epochs):
            loss, right = _loss(model, flowers)
            if not math.isfinite(loss.data):
                return False
            model.zero_grad()
            loss.backward()
            for p in model.parameters():
                p.data -= rate * p.grad
            advance(f"loss {loss:.4g}  accuracy {_percent(right, flowers)}")
    return True


def _assess(model: MLP, flowers: Sequence[Flower]) -> tuple[float, str, str]:
    with no_grad():
        loss, right = _loss(model, flowers)
    return loss.data, f"{right} of {len(flowers)}", _percent(right, flowers)


def _percent(right: int, flowers: Sequence[Flower]) -> str:
    return f"{100 * right / len(flowers):.1f} %"


def _introduce(model: MLP, training: Sequence[Flower], held_out: Sequence[Flower], seed: int) -> None:
    hidden = len(model.layers[0].neurons)
    loss, _ = _loss(model, training)
    say("Fisher's irises, told apart by a network of single numbers", style="bold")
    say()
    paragraph(
        f"{len(training) + len(held_out)} flowers of three species ({', '.join(SPECIES)}), each with four measurements:"
        f" {len(training)} to learn from, {len(held_out)} held out, drawn with seed {seed}."
    )
    paragraph(
        f"The network: 4 measurements -> {hidden} neurons with relu -> 3 scores, {len(model.parameters())} parameters."
        f" Each epoch builds the loss over the {len(training)} flowers, a graph of {statistics(loss).nodes:,} nodes,"
        " calls backward() once, and moves every parameter a step against its gradient."
    )


def _list_mistakes(model: MLP, flowers: Sequence[Flower]) -> None:
    with no_grad():
        guesses = [(flower, _guess(model(flower.measurements))) for flower in flowers]
    wrong = [f"flower {f.number}, {f.species}, taken for {guess}" for f, guess in guesses if guess != f.species]
    paragraph(f"Held out and wrong: {'; '.join(wrong) or 'none'}.")


# --- the account ------------------------------------------------------------------------------------------------


def _account_for_bias(model: MLP, flowers: Sequence[Flower], complete: bool) -> int:
    bias = model.layers[-1].neurons[SPECIES.index(_EXPLAINED)].b
    loss, _ = _loss(model, flowers, within=lambda flower: scope(f"flower {flower.number}"))
    model.zero_grad()
    loss.backward()
    account = explain(bias, loss)

    say("Why the gradient of a bias is a sum", style="bold")
    say()
    paragraph(
        f"The score of {_EXPLAINED} is w . hidden + b, with the same b for every flower. So b has one edge to the sum"
        f" of each of the {len(flowers)} training flowers, and its gradient adds up what comes back along these edges."
        " With arrays, this sum is written db = dout.sum(axis=0)."
    )
    by_scope = {f"flower {flower.number}": flower for flower in flowers}
    told = [by_scope[use.consumer.scope.partition("/")[0]] for use in account]
    columns = ("flower", "species", "local derivative", "incoming gradient", "running total")
    rows = _lines(account, told)
    if not complete and len(rows) > _FIRST + _LAST + 1:
        rows[_FIRST:-_LAST] = [["...", f"{len(rows) - _FIRST - _LAST} more", "...", "...", "..."]]
    print_table(columns, rows, title="One bias, a line for each flower that shares it, in the order of backward()")
    same = repr(account.gradient) == repr(bias.grad)
    say(f"the {len(account)} contributions, added from top to bottom: {account.gradient!r}")
    say(f"b.grad, as backward() computed it:{'':{len(str(len(account))) + 10}} {bias.grad!r}")
    say(("the same number, bit for bit" if same else "not the same number: this is a bug in micrograd", "bold"))
    _interpret(account, told)
    return 0 if same else 1


def _lines(account: Account, flowers: Sequence[Flower]) -> list[list[str | float]]:
    rows: list[list[str | float]] = []
    total = 0.0
    for use, flower in zip(account, flowers):
        total += use.share
        rows.append([flower.number, flower.species, use.local, use.incoming, total])
    return rows


def _interpret(account: Account, flowers: Sequence[Flower]) -> None:
    count = len(flowers)
    loudest, flower = max(zip(account, flowers), key=lambda pair: abs(pair[0].share))
    say()
    paragraph(
        f"With p for the probability of {_EXPLAINED}, the incoming gradient is (p - 1)/{count} where the flower is one,"
        f" and p/{count} where it is not. A negative one asks for a larger b, a positive one for a smaller; training"
        " moves b until they nearly cancel."
    )
    rows: list[list[str | float]] = []
    for species in SPECIES:
        shares = [use.share for use, f in zip(account, flowers) if f.species == species]
        rows.append([species, len(shares), math.fsum(shares)])
    rows.append(["all", count, math.fsum(use.share for use in account)])
    print_table(("species", "flowers", "sum of contributions"), rows)
    say(f"Flower {flower.number}, {flower.species}, asks loudest: {number(loudest.share)}.")


def _suggest() -> None:
    say()
    say("Try next", style="bold")
    say("""
  micrograd demo --all         every line of the account
  micrograd demo --epochs 1    the same sum before it is balanced
  micrograd demo --seed 1      another split, another start

A bias shared by two samples, small enough to check on paper:

  micrograd grad "(w + b - 1)**2 + (3*w + b - 2)**2" w=0.5 b=0 --explain b""")


# --- pictures ---------------------------------------------------------------------------------------------------


def _draw(model: MLP, flowers: Sequence[Flower], folder: Path) -> bool:
    """Draw the bias with the flowers that share it, write the page of one flower, and tell whether both came out."""
    chosen = [next(flower for flower in flowers if flower.species == species) for species in SPECIES]
    bias = model.layers[-1].neurons[SPECIES.index(_EXPLAINED)].b
    shared, _ = _loss(model, chosen, within=lambda flower: scope(f"flower {flower.number}"))
    single, _ = _loss(model, chosen[:1])
    shared.label = single.label = "loss"
    model.zero_grad()
    shared.backward()
    say()
    say("Pictures", style="bold")
    say()
    if not is_installed("graphviz"):
        say("none: they need Graphviz; in the checkout of micrograd: pip install '.[pictures]'")
        return True
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        error_line(_PROGRAM, f"cannot make the folder {folder}: {error.strerror or error}")
        return False
    title = f"one bias of the network, shared by {len(chosen)} flowers: its gradient is the sum over its edges"
    save: Callable[[Path], object] = draw(shared, around=bias, hops=2, title=title).save
    written = write_picture("the bias and three flowers", folder / "bias.svg", save, program=_PROGRAM)
    if (nodes := statistics(single).nodes) > _LARGEST_PAGE:
        say(f"no page of one flower: {nodes:,} nodes are too many to step through; --hidden {_SMALLER} makes fewer")
        return written
    save = lambda path: explore(single, path, title=f"The loss of flower {chosen[0].number}")
    return write_picture("one flower, step by step", folder / "flower.html", save, program=_PROGRAM) and written
