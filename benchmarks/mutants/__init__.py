"""Mutants: faults planted in a copy of the package, one at a time, to see who finds them.

Tests and gradient checkers are believed because they fail when the code is wrong. Here that is measured: how many of
the planted faults the project's own tests find, and how many the toolkit for testing gradients (``micrograd check``).

Where to look:

==========================  ====================================================================
``mutant.py``               ``Mutant``: a replacement of text, and what is wrong with it
``faults_sweep.py``         in the backward pass: shares are added up, nodes are visited in order
``faults_engine.py``        around it: what a node records, what ``backward()`` promises
``faults_rules.py``         in the table of operations: derivative rules
``faults_conventions.py``   in the table: kinks, awkward points, second derivatives, many operands
``faults_walks.py``         in functional derivatives, accounts, copies and files
``faults_compiler.py``      in the compiler
``faults.py``               all of them
``equivalents.py``          mutants that nobody can tell from the original, each with its proof
``judges.py``               who looks for faults: the tests, the toolkit
``harness.py``              copies of the package in temporary folders, two at a time
``command.py``              ``python -m benchmarks mutants``
==========================  ====================================================================
"""
