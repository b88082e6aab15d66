"""Pictures: the graph of a value with the account of every gradient on its edges, and a page that steps through it.

The way of a picture, one file each:

- ``record`` reads the graph into plain data (``names`` finds names for nodes); ``reduction`` decides what of it is
  drawn; ``picture`` makes boxes and arrows with their texts (``text`` makes these inert and short).
- ``dot`` writes DOT; ``engines`` runs Graphviz (``embedded`` is the one inside pygraphviz); ``layout`` reads the
  coordinates; ``svg`` writes the SVG in the colours of ``theme``. ``drawing`` has ``draw``.
- ``explorer`` writes the page; its script, its style sheet and its skeleton are in ``page/``.
"""

from micrograd.pictures.drawing import Drawing, draw
from micrograd.pictures.explorer import Explorer, explore

__all__ = ["Drawing", "Explorer", "draw", "explore"]
