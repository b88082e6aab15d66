"""A program of its own: draw the graph on standard input with the Graphviz inside of the package pygraphviz.

Run by ``engines.py`` as ``python embedded.py FORMAT``; nothing imports it.
"""

from __future__ import annotations

import sys

import pygraphviz

__all__: list[str] = []

if __name__ == "__main__":
    graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
    sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog="dot"))
