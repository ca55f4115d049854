"""Has a parsed template pay for what it does: nodes that spend and weigh are put between its own."""

from collections.abc import Iterable, Iterator
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.visitor import NodeTransformer

SPEND, WEIGH, WEIGH_LIST, JOIN = "jidget spend", "jidget weigh", "jidget weigh list", "jidget join"
"""Names of the filters that do it: with a space, so that no template can write them."""
MOST_NODES = 1000
"""Of a parsed template: to compile it takes some 40 µs for each. The largest real ones have 200."""


def meter(tree: nodes.Template) -> nodes.Template:
    """Return the template, metered.

    Raises:
        jinja2.TemplateSyntaxError: it is too large, or switches on escaping for HTML, which makes texts grow.
    """
    if sum(1 for _ in _nodes([tree])) > MOST_NODES:
        raise jinja2.TemplateSyntaxError(f"it has more than {MOST_NODES} parts", 1)
    _Meter().visit(tree)  # in place
    return tree


def _filtered(name: str, node: nodes.Expr, lineno: int) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=lineno)


def _nodes(roots: Iterable[nodes.Node]) -> Iterator[nodes.Node]:
    """Go through nodes and all that is in them. Jinja2's `find_all` takes the square of how deep they are nested."""
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.iter_child_nodes())


def _spending(body: list[nodes.Node], lineno: int) -> nodes.Filter:
    units = 1
    for node in _nodes(body):
        units += 1 + (len(node.data) >> 4 if isinstance(node, nodes.TemplateData) else 0)
    return _filtered(SPEND, nodes.Const(units, lineno=lineno), lineno)


class _Meter(NodeTransformer):
    def _body(self, node: Any) -> nodes.Node:
        spending = _spending(node.body, node.lineno)
        self.generic_visit(node)
        node.body.insert(0, nodes.ExprStmt(spending, lineno=node.lineno))
        return node  # type: ignore[no-any-return]

    visit_Macro = visit_CallBlock = visit_Block = _body

    def visit_For(self, node: nodes.For) -> nodes.Node:
        test = node.test
        self._body(node)
        if test is not None and node.test is not None:
            node.test = nodes.And(_spending([test], node.lineno), node.test, lineno=node.lineno)
        return node

    def _weighed(self, node: Any) -> nodes.Node:
        self.generic_visit(node)
        if getattr(node, "ctx", "load") != "load":
            return node  # type: ignore[no-any-return]
        return _filtered(WEIGH, node, node.lineno)

    visit_List = visit_Tuple = visit_Dict = _weighed

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = _filtered(WEIGH, node.expr, node.lineno)
        for operand in node.ops:
            name = WEIGH_LIST if operand.op in {"in", "notin"} else WEIGH
            operand.expr = _filtered(name, operand.expr, node.lineno)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _filtered(WEIGH, node.node, node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filtered(JOIN, nodes.List(node.nodes, lineno=node.lineno), node.lineno)

    def visit_ScopedEvalContextModifier(self, node: nodes.ScopedEvalContextModifier) -> nodes.Node:
        raise jinja2.TemplateSyntaxError("autoescape is not for payloads", node.lineno)
