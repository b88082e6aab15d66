"""Protects walks over graphs: the order, the counts, and the account of a gradient, whose terms in the printed order
are the gradient bit for bit; and that hostile labels stay text in a terminal and in a notebook.
"""

from __future__ import annotations

import html.parser
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import registered, same, wild_graphs

import micrograd as mg
from micrograd import Value
from micrograd.graph import Account, Statistics

NOT_VALUES: list[Any] = [None, 1.0, "x", [Value(1.0)], (), lambda: Value(1.0)]

# --- order ------------------------------------------------------------------------------------------------------


@given(wild_graphs(size=20), st.data())
def test_every_node_comes_once_and_after_its_operands(pool: list[Value], data: st.DataObject) -> None:
    roots = data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=4))
    order = mg.topological_order(*roots)
    assert len(order) == len(set(order))
    assert set(order) == below(*roots)
    place = {node: i for i, node in enumerate(order)}
    assert all(place[x] < place[node] for node in order for x in node.parents)
    assert mg.topological_order(*roots) == order


def below(*nodes: Value) -> set[Value]:
    """Return all nodes below, by plain recursion."""
    return set(nodes).union(*[below(*node.parents) for node in nodes])


def test_the_order_is_depth_first_from_the_left() -> None:
    a, b, c = (Value(1.0, label=name) for name in "abc")
    root = (a + b) * (mg.sum([c, a, b]) - c)
    assert [v.label or v.op for v in mg.topological_order(root)] == ["a", "b", "add", "c", "sum", "sub", "mul"]
    assert [v.label or v.op for v in mg.topological_order(c, root)] == ["c", "a", "b", "add", "sum", "sub", "mul"]


def test_a_leaf_and_nothing() -> None:
    x = Value(1.0)
    assert mg.topological_order(x) == [x]
    assert mg.topological_order(x, x) == [x]
    assert mg.topological_order() == []


@pytest.mark.parametrize("stranger", NOT_VALUES)
def test_walks_refuse_what_is_no_value(stranger: Any) -> None:
    x = Value(1.0)
    for walk in (mg.topological_order, mg.statistics):
        with pytest.raises(TypeError, match=r"a root is a Value, not .* \(type"):
            walk(x, stranger)
    with pytest.raises(TypeError, match=r"the node to explain is a Value, not .* \(type"):
        mg.explain(stranger, x)
    with pytest.raises(TypeError, match=r"the root is a Value, not .* \(type"):
        mg.explain(x, stranger)


# --- statistics -------------------------------------------------------------------------------------------------


@given(wild_graphs(size=20), st.data())
def test_counts_equal_those_of_plain_recursion(pool: list[Value], data: st.DataObject) -> None:
    roots = data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3))
    nodes = below(*roots)

    def depth(node: Value) -> int:
        return max([1 + depth(x) for x in node.parents], default=0)

    uses = Counter(x for node in nodes for x in node.parents)
    assert mg.statistics(*roots) == Statistics(
        nodes=len(nodes),
        leaves=sum(not node.parents for node in nodes),
        edges=sum(len(node.parents) for node in nodes),
        depth=max(map(depth, roots)),
        uses={node: uses[node] for node in nodes},
        operations=dict(Counter(node.op for node in nodes if node.op)),
    )


def test_statistics_as_text() -> None:
    x = Value(2.0)
    assert str(mg.statistics(mg.sum([x * x, x, 3.0, x]))) == "3 nodes (1 leaves, 1 mul, 1 sum), 5 edges, depth 2"
    assert str(mg.statistics(x)) == "1 nodes (1 leaves), 0 edges, depth 0"
    assert str(mg.statistics()) == "0 nodes (0 leaves), 0 edges, depth 0"


# --- the account of a gradient ----------------------------------------------------------------------------------


@settings(max_examples=300)
@given(wild_graphs(size=20))
def test_the_terms_in_the_printed_order_are_the_gradient_bit_for_bit(pool: list[Value]) -> None:
    root = pool[-1]
    for node in pool:
        node.grad = 7.0
    accounts = [mg.explain(node, root) for node in pool]
    assert [node.grad for node in pool] == [7.0] * len(pool)
    for node in pool:
        node.grad = 0.0
    root.backward()
    for node, account in zip(pool, accounts):
        total = 1.0 if node is root else 0.0
        for use in account:
            total += use.share
        assert same(total, node.grad)
        assert same(account.gradient, node.grad)
        assert (account.value, account.root, len(account)) == (node, root, len(account.uses))


@given(wild_graphs(size=20))
def test_every_use_is_listed_with_what_arrives_there(pool: list[Value]) -> None:
    root = pool[-1]
    root.backward()
    nodes = mg.topological_order(root)
    for node in pool:
        uses = mg.explain(node, root).uses
        listed = Counter((use.consumer, use.position) for use in uses)
        assert listed == Counter((n, i) for n in nodes for i, x in enumerate(n.operands) if x is node)
        for use in uses:
            assert same(use.incoming, use.consumer.grad)
            if use.incoming == 0.0:
                assert use.share == 0.0
            elif use.incoming == 1.0:
                assert same(use.share, use.local)


def test_the_bias_of_several_samples() -> None:
    b = Value(0.5, label="b")
    loss = mg.sum([(b + x) * weight for x, weight in ((1.0, 10.0), (2.0, 100.0), (3.0, 1000.0))])
    account = mg.explain(b, loss)
    assert sorted(use.share for use in account) == [10.0, 100.0, 1000.0]
    assert {use.local for use in account} == {1.0}
    assert account.gradient == 1110.0


def test_a_square_has_two_lines() -> None:
    x = Value(3.0, label="x")
    uses = mg.explain(x, x * x).uses
    assert [(use.position, use.local, use.incoming, use.share) for use in uses] == [
        (0, 3.0, 1.0, 3.0),
        (1, 3.0, 1.0, 3.0),
    ]


def test_operands_that_are_numbers_count_as_positions() -> None:
    x = Value(3.0)
    (use,) = mg.explain(x, 2.0 / x)
    assert (use.position, use.local) == (1, -2.0 / 9.0)
    positions = [use.position for use in mg.explain(x, mg.sum([1.0, x, 2.0, x]))]
    assert positions == [1, 3]


def test_the_root_itself_and_a_node_it_does_not_use() -> None:
    x, y = Value(3.0), Value(4.0)
    own, none = mg.explain(x, x), mg.explain(y, x * x)
    assert (own.uses, own.gradient) == ((), 1.0)
    assert str(own) == "d root / d v: the node is the root itself: its derivative is 1"
    assert (none.uses, none.gradient) == ((), 0.0)
    assert str(none) == "d mul / d v: the root does not use this node: its derivative is 0"


def test_where_nothing_arrives_the_share_is_zero_and_the_slope_is_shown() -> None:
    x = Value(0.0)
    branch = mg.sqrt(x)
    (use,) = mg.explain(x, mg.where(0.0, branch, 1.0))
    assert (use.incoming, use.local, use.share) == (0.0, float("inf"), 0.0)


def test_modes_do_not_disturb_an_account() -> None:
    x = Value(3.0)
    y = x * x
    with mg.no_grad(), mg.scope("elsewhere"):
        assert mg.explain(x, y).gradient == 6.0
    z = mg.sqrt(x * 0.0)
    with mg.detect_anomaly(), pytest.raises(mg.AnomalyError):
        mg.explain(x, z)


def test_shares_of_a_users_rule_are_floats() -> None:
    with registered("twice", forward=lambda a: 2 * a, vjp=(lambda g, out, a: 2,)) as twice:
        x = Value(3.0)
        (use,) = mg.explain(x, twice(x))
        assert same([use.local, use.share], [2.0, 2.0])


def test_a_deep_graph_is_explained_without_recursion() -> None:
    x = y = Value(1.0)
    for _ in range(3 * sys.getrecursionlimit()):
        y = y + x
    account = mg.explain(x, y)
    assert account.gradient == len(account) == 3 * sys.getrecursionlimit() + 1


# --- as people see it -------------------------------------------------------------------------------------------


def small_account() -> Account:
    w, b = Value(0.5, label="w"), Value(-1.0, label="b")
    loss = (w * 2.0 + b) * (w * 4.0 + b)
    loss.label = "loss"
    return mg.explain(b, loss)


def test_in_a_terminal() -> None:
    assert str(small_account()).splitlines() == [
        "d loss / d b",
        "used by           local derivative  incoming gradient  share",
        "----------------  ----------------  -----------------  -----",
        "add(2.0, b=-1.0)                 1                  0      0",
        "add(1.0, b=-1.0)                 1                  1      1",
        "the 2 shares add up to 1.0",
    ]


class Cells(html.parser.HTMLParser):
    """Collects the texts and the tags of a table."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert not attrs
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_in_a_notebook() -> None:
    cells = Cells()
    cells.feed(small_account()._repr_html_())
    assert Counter(cells.tags) == {"table": 1, "caption": 1, "thead": 1, "tbody": 1, "tr": 3, "th": 4, "td": 8}
    assert cells.texts == [
        "d loss / d b: the 2 shares add up to 1.0",
        *("used by", "local derivative", "incoming gradient", "share"),
        *("add(2.0, b=-1.0)", "1", "0", "0"),
        *("add(1.0, b=-1.0)", "1", "1", "1"),
    ]


HOSTILE = [
    "<script>alert(1)</script>",
    "\x1b[2J\x07",
    "\udc80",
    "a\nb\rc",
    "\u202ereversed",
    "</td>&amp;\"'",
    "\x9b31m",
]


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels_stay_text(label: str) -> None:
    v, root = Value(1.0, label=label), Value(2.0)
    product = v * 3.0
    product.label = label
    root = product * v
    root.label = label
    for account in (
        mg.explain(v, root),
        mg.explain(product, root),
        mg.explain(root, root),
        mg.explain(Value(1.0), root),
    ):
        text, page = str(account), account._repr_html_()
        for shown in (text.replace("\n", ""), page):
            shown.encode("utf-8")
            assert not any(c in shown for c in "\x1b\x07\r\n\x9b\u202e")
        assert "<script" not in page
        cells = Cells()
        cells.feed(page)
        assert set(cells.tags) <= {"table", "caption", "thead", "tbody", "tr", "th", "td"}
        assert "<script" not in cells.tags
        assert len(text.splitlines()) == (1 if not account.uses else len(account) + 4)
