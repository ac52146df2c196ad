"""Groups whose weights are all frozen are measured in one phase at most: no gradient that moves a weight reads them."""

from dataclasses import replace

import numpy as np
import pytest
from built_runs import make

import qep_qiskit as qep
from qep_qiskit.execution import RequestKey
from qep_qiskit.measurement import run_measurements

SHOTS, SAMPLES = 60, 4
OPERATOR = {"kind": "operator", "terms": [{"pauli": "Z1"}]}


def run_of(frozen=True, **sections):
    """XOR on three spins with transverse fields, the weights of the group X, that are frozen."""
    network = {"graph": "chain", "num_spins": 3, "fields": {"frozen": frozen}}
    return make(network=network, measurement={"shots": SHOTS, **sections.pop("measurement", {})}, **sections)


def gradient(run, samples=SAMPLES, **changes):
    estimator, data = replace(run.estimator, **changes), run.task.train.take(np.arange(samples))
    weights = run.network.layout.initial(qep.Seeds(1))
    work = estimator.estimate(weights, data.inputs, data.targets, RequestKey("test", 0))
    return run_measurements(work, run.executor)


@pytest.mark.parametrize(
    ("frozen", "sections", "batches"),
    [
        # Of one sample: the outputs in the free phase, nudged phases in the group Z, and phases in the group X.
        (True, {}, 1 + 2 + 1),
        (False, {}, 1 + 2 + 2),
        (["h[0]", "h[2]"], {}, 1 + 2 + 2),
        (True, {"contrast": {"kind": "one_sided", "beta": 0.1}}, 1 + 1 + 1),
        (True, {"contrast": {"kind": "four_point", "beta": 0.1}}, 1 + 4 + 1),
        (True, {"measurement": {"grouping": "qubit_wise"}}, 1 + 2 + 1),
        (True, {"measurement": {"grouping": "per_weight"}}, 1 + 2 * 14),
        (True, {"cost": OPERATOR}, 2 + 2),  # the bounds of the cost follow from all groups
    ],
)
def test_what_is_measured(frozen, sections, batches):
    _, usage = gradient(run_of(frozen, **sections))
    assert usage.circuits == SAMPLES * batches


def test_gradients_of_trained_weights_stay_and_those_of_frozen_ones_are_zero():
    run = run_of()
    trained, block = run.network.layout.trainable(), run.network.layout.slice_of("h")
    found, _ = gradient(run)
    everything, _ = gradient(run, trained_only=False)
    assert np.array_equal(found.gradient[trained], everything.gradient[trained])
    assert not found.gradient[block].any()
    assert not found.variance[block].any()
    assert everything.gradient[block].all()
    assert np.array_equal(found.outputs, everything.outputs)


@pytest.mark.parametrize("samples", [1, 4])
def test_error_bars_of_trained_weights_stay(samples):
    """One phase of the group tells as much of the expected response to error signals as all of them."""
    run = run_of(contrast={"beta": 0.2}, measurement={"shots": 1000})
    trained = run.network.layout.trainable()
    found, everything = (gradient(run, samples, trained_only=only)[0].variance[trained] for only in (True, False))
    assert np.allclose(found, everything, rtol=0.05)
    assert not np.array_equal(found, everything)
