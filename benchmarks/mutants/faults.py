"""All mutants, in the order in which they are listed: faults by subject, then those that are none."""

from __future__ import annotations

from benchmarks.mutants import (
    equivalents,
    faults_compiler,
    faults_conventions,
    faults_engine,
    faults_rules,
    faults_sweep,
    faults_walks,
)

__all__ = ["MUTANTS"]

MUTANTS = (
    *faults_sweep.MUTANTS,
    *faults_engine.MUTANTS,
    *faults_rules.MUTANTS,
    *faults_conventions.MUTANTS,
    *faults_walks.MUTANTS,
    *faults_compiler.MUTANTS,
    *equivalents.MUTANTS,
)
