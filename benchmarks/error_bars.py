"""Whether error bars under a loss on expectations are right: actual over claimed variances on random networks.

    OMP_NUM_THREADS=1 python benchmarks/error_bars.py [--networks 20] [--repeats 4000] [--seed 0]

Complete Ising networks of 2 to 4 spins with random weights, targets near the outputs, |beta| from 0.1 to 0.6, exact
states, 20, 100 or 500 shots a batch. Repeats are equal samples of one large batch, whose shots are independent.

    sum       actual variance of the gradient, summed over weights, over the mean of what is claimed; its own error
    weights   smallest and largest such ratio of single weights that have a twentieth of the mean variance at least
    noise     standard deviation of the claimed sum over its mean: how far one claim is from another
    bias      largest deviation of a mean gradient from the noise-free contrast, in its standard errors
    cost      the same ratio for the reported cost
    marked    share of repeats whose gradient, and whose cost, says `approximate`
    prior     mean share of the summed variance that is prior and not data
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass, replace

import numpy as np

import qep_qiskit as qep
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.learning.gradient_estimate import MeasuredGradient
from qep_qiskit.learning.replicates import Replication, ScatterTally
from qep_qiskit.measurement import run_measurements

SAMPLES_AT_ONCE = 4096


@dataclass
class Case:
    """One network with everything that is drawn for it."""

    name: str
    hamiltonian: qep.NudgedHamiltonian
    weights: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    contrast: qep.Contrast
    shots: int


def cases(networks, seed):
    """Random networks, one after the other."""
    for number in range(networks):
        rng = np.random.default_rng([seed, number])
        spins, shots = int(rng.integers(2, 5)), (20, 100, 500)[number % 3]
        outputs = tuple(range(spins))[-int(rng.integers(1, 3)) :]
        samples = int(rng.choice([1, 1, 1, 4]))
        kind = ("one_sided", "symmetric", "one_sided", "symmetric", "four_point")[number % 5]
        beta = float(rng.uniform(0.1, 0.6)) * (rng.choice([-1.0, 1.0]) if kind == "one_sided" else 1.0)
        network = qep.IsingNetwork(
            graph=qep.complete(spins),
            outputs=outputs,
            inputs=qep.ClampedInputs.all_to(1, range(spins)),
            couplings=qep.WeightInitialisation(),
            biases=qep.WeightInitialisation(),
        )
        drawn = {"J": 0.5, "b": 0.4, "W": 0.4}
        weights = np.concatenate(
            [
                rng.uniform(0.8, 1.3, len(block.names))
                if block.symbol == "h"
                else rng.normal(0, drawn[block.symbol], len(block.names))
                for block in network.layout.blocks
            ]
        )
        cost = qep.LossOnExpectations.on_spins(outputs, spins)
        hamiltonian, inputs = qep.NudgedHamiltonian(network, cost), rng.normal(size=(samples, 1))
        free = exact_gradient(hamiltonian, weights, inputs, np.zeros((samples, len(outputs)))).outputs
        targets = free + rng.uniform(0.0, 0.2, free.shape) * rng.choice([-1, 1], free.shape)
        name = f"{number:2} {spins} spins {len(outputs)} out {samples} smp {kind:10} {beta:+.2f} {shots:4}"
        contrast = qep.Contrast(kind=kind, beta=beta)
        yield Case(name, hamiltonian, weights, inputs, targets, contrast, shots)


def estimator_of(case, shots):
    """The estimator of a case."""
    return qep.GradientEstimator(
        hamiltonian=case.hamiltonian, preparation=qep.ExactPreparation(), contrast=case.contrast, shots=shots
    )


def repeated(case, repeats, seed):
    """Phases of independent repeats."""
    return measured_repeats(case, estimator_of(case, case.shots), repeats, seed)


def measured_repeats(case, estimator, repeats, seed):
    """The same by a given estimator."""
    executor = VectorExecutor(qep.Seeds(seed))
    samples = len(case.inputs)
    at_once, found = max(1, SAMPLES_AT_ONCE // samples), []
    for number, start in enumerate(range(0, repeats, at_once)):
        count = min(at_once, repeats - start)
        inputs, targets = (np.tile(rows, (count, 1)) for rows in (case.inputs, case.targets))
        key, betas = RequestKey("study", number), case.contrast.betas
        work = estimator.phases(case.weights, inputs, targets, key, betas, quiet=True)
        found += run_measurements(work, executor)[0].split(count)
    return found


def studied(case, repeats, seed):
    """All figures of a case."""
    measured = repeated(case, repeats, seed)
    stencil = case.contrast.stencil_on(measured[0].betas)
    derivatives = [phases.derivative(stencil) for phases in measured]
    values = np.array([one.values for one in derivatives])
    claimed = np.array([one.variance for one in derivatives])
    work = estimator_of(case, None).estimate(case.weights, case.inputs, case.targets, RequestKey("exact", 0))
    ideal = run_measurements(work, VectorExecutor(qep.Seeds(0)))[0].gradient
    actual = values.var(axis=0, ddof=1)
    squares = ((values - values.mean(axis=0)) ** 2).sum(axis=1)
    ratio = actual.sum() / claimed.sum(axis=1).mean()
    spread = claimed.sum(axis=1).std() / claimed.sum(axis=1).mean()
    error = ratio * np.hypot(squares.std() / squares.mean(), spread) / np.sqrt(repeats)
    large = actual > 0.05 * actual.mean()
    single = (actual / claimed.mean(axis=0))[large]
    costs = np.array([phases.cost.mean for phases in measured])
    claimed_cost = np.array([phases.cost.standard_error**2 for phases in measured])
    return {
        "sum": ratio,
        "error": error,
        "least": single.min(),
        "most": single.max(),
        "noise": spread,
        "bias": np.abs((values.mean(axis=0) - ideal) / np.sqrt(actual / repeats)).max(),
        "cost": costs.var(ddof=1) / claimed_cost.mean(),
        "uncertain": np.mean([one.uncertain for one in derivatives]),
        "marked": np.mean([one.approximate for one in derivatives]),
        "cost marked": np.mean([phases.cost.approximate for phases in measured]),
    }


def replicated_gradients(case, repeats, replication, seed):
    """Gradients and claimed variances of repeats that are split into replicates, and the biases that they see."""
    count, found = replication.replicates, []
    parts = measured_repeats(case, estimator_of(case, replication.share(case.shots)), repeats * count, seed)
    stencil = case.contrast.stencil_on(parts[0].betas)
    for start in range(0, len(parts), count):
        one = joined(parts[start : start + count])
        measured = MeasuredGradient.of_phases(one, stencil, case.hamiltonian, count)
        found.append(measured.combined(replication, case.hamiltonian.network.layout.block_numbers))
    pooled = [one.scatter for one in found]
    variances = [ScatterTally().after(scatter).variances(scatter) for scatter in pooled]
    return (
        np.array([one.gradient for one in found]),
        np.array([variance for variance, _ in variances]),
        np.array([one.cost.mean for one in found]),
        np.array([costs.sum() / len(costs) ** 2 for _, costs in variances]),
        np.array([scatter.signal_bias for scatter in pooled]) if count > 2 else None,
    )


def replicated_figures(case, repeats, replication, seed):
    """Actual over claimed variances of replicated gradients, and the bias with what the replicates say of it."""
    values, claimed, costs, claimed_costs, bias = replicated_gradients(case, repeats, replication, seed)
    work = estimator_of(case, None).estimate(case.weights, case.inputs, case.targets, RequestKey("exact", 0))
    ideal = run_measurements(work, VectorExecutor(qep.Seeds(0)))[0].gradient
    actual = values.var(axis=0, ddof=1)
    large, error = actual > 0.05 * actual.mean(), np.sqrt(actual / repeats)
    sums = claimed.sum(axis=1)
    single = (actual / claimed.mean(axis=0))[large]
    squares = ((values - values.mean(axis=0)) ** 2).sum(axis=1)
    ratio = actual.sum() / sums.mean()
    return {
        "sum": ratio,
        "error": ratio * np.hypot(squares.std() / squares.mean(), sums.std() / sums.mean()) / np.sqrt(repeats),
        "least": single.min(),
        "most": single.max(),
        "noise": sums.std() / sums.mean(),
        "bias": np.abs((values.mean(axis=0) - ideal) / error).max(),
        "seen": 0.0 if bias is None else float(bias.mean(axis=0) @ (values.mean(axis=0) - ideal)),
        "true": float(((values.mean(axis=0) - ideal) ** 2 - error**2).sum()),
        "cost": costs.var(ddof=1) / claimed_costs.mean(),
    }


def joined(parts):
    """Measured phases of repeats as those of one batch of samples."""
    first = parts[0]
    stacked = [np.concatenate([getattr(part.moments, name) for part in parts]) for name in ("means", "covariance")]
    signals = {
        name: np.concatenate([getattr(part.signals, name) for part in parts])
        for name in ("signals", "slope", "covariance", "fluctuations", "output_covariance")
    }
    excited = [part.signals.excitation for part in parts]
    if None in excited:
        signals["excitation"] = None
    else:  # all outputs are single strings; with the gain of one replicate
        signals["excitation"] = replace(excited[0], shift=np.concatenate([one.shift for one in excited]))
    values, variances = (np.concatenate([getattr(p.cost, name) for p in parts]) for name in ("values", "variances"))
    return replace(
        first,
        moments=replace(first.moments, means=stacked[0], covariance=stacked[1]),
        jacobian=replace(first.jacobian, values=np.concatenate([part.jacobian.values for part in parts])),
        signals=replace(first.signals, **signals),
        cost=replace(first.cost, values=values, variances=variances, uncertain=None),
        outputs=np.concatenate([part.outputs for part in parts]),
    )


def print_replicated(options):
    """The table of replicated estimates."""
    replication = Replication(replicates=options.replicates, remove_signal_bias=options.remove_bias)
    print(f"{'':52}  sum           weights       noise   bias   seen.true   true.true   cost")
    for case in cases(options.networks, options.seed):
        row = replicated_figures(case, options.repeats, replication, options.seed)
        print(
            f"{case.name:52}  {row['sum']:.2f} +- {row['error']:.2f}  {row['least']:.2f} to {row['most']:.2f}  "
            f"{row['noise']:6.2f}  {row['bias']:5.1f}  {row['seen']:+.2e} {row['true']:+.2e} {row['cost']:5.2f}",
            flush=True,
        )


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replicates", type=int, default=0, help="split every step into so many replicates")
    parser.add_argument("--remove-bias", action="store_true", help="and take the bias of noisy signals off")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.replicates:
        print_replicated(options)
        return
    print(f"{'':52}  sum           weights       noise   bias   cost   marked      prior")
    for case in cases(options.networks, options.seed):
        row = studied(case, options.repeats, options.seed)
        print(
            f"{case.name:52}  {row['sum']:.2f} +- {row['error']:.2f}  {row['least']:.2f} to {row['most']:.2f}  "
            f"{row['noise']:6.2f}  {row['bias']:5.1f}  {row['cost']:5.2f}  {row['marked']:5.2f} "
            f"{row['cost marked']:5.2f} {row['uncertain']:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
