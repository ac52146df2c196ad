"""How reliably the convolutional network of ``patterns.toml`` learns its two patterns: losses, nudges, starts, search.

    python benchmarks/two_patterns.py [--config configs/patterns.toml] [--seeds 30]

Each row is a number of trainings that differ in their seeds. "Exact" ground states are found without a search: for
given pooling and output spins, each spin of a map follows the sign of its field, so that 2^8 configurations are
compared. Signals are those of a loss on expectations: its nudge acts on wrong outputs only. Beta is then the published
5, and the rate .1; the squared error of an operator cost has twice the published nudge, so that both are halved.

    learned    trainings whose true ground states have outputs with the right signs for both patterns
    found      the same, of the states that the search of the row finds
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from shown import parser_of, show

import qep_qiskit as qep
from qep_qiskit.outcomes.known_states import SpinConfigurations
from qep_qiskit.preparation import ConvergenceReport, PreparationResult

ANNEALING = 'preparation={kind = "annealing"}'
MEAN = 'cost={kind = "operator", operator = "squared_error"}'
SIGNALS = ('cost={kind = "loss", copies = "each"}', "contrast.beta=5.0", "update.learning_rate=0.1")
MEAN_SIGNALS = ('cost={kind = "loss"}', *SIGNALS[1:])
SYMMETRIC = "contrast.kind=symmetric"
WIDE = 'distribution = "normal", std = 0.3'
STARTS = (f"network.couplings={{{WIDE}}}", f"network.inputs={{{WIDE}}}", "network.biases={}")
CASES = {
    ("each copy, fixed", "one side", "published", "exact"): (),
    ("mean, fixed", "one side", "published", "exact"): (MEAN,),
    ("each copy, signals", "one side", "published", "exact"): SIGNALS,
    ("mean, signals", "one side", "published", "exact"): MEAN_SIGNALS,
    ("each copy, fixed", "both sides", "published", "exact"): (SYMMETRIC,),
    ("each copy, fixed", "one side", "defaults", "exact"): STARTS,
    ("mean, signals", "both sides", "defaults", "exact"): (*MEAN_SIGNALS, SYMMETRIC, *STARTS),
    ("each copy, fixed", "one side", "published", "annealing, 10 x 1"): (
        "preparation.sweeps=10",
        "preparation.restarts=1",
    ),
    ("each copy, fixed", "one side", "published", "annealing, 100 x 8"): (ANNEALING,),
    ("each copy, fixed", "one side", "published", "annealing, as in the file"): (),
}
TOP = 8


class OverMaps:
    """Ground states of spins of maps that only pooling spins couple; the last eight spins are pooling and outputs."""

    def prepare(self, family, start):
        num_spins = family.groups[0].num_qubits
        below = num_spins - TOP
        top = 1 - 2 * (np.arange(2**TOP)[:, None] >> np.arange(TOP) & 1)
        strings = [string for group in family.groups for string in group.terms]
        rows = family.coefficients().reshape(-1, len(strings))
        spins, energies = np.empty((len(rows), num_spins), dtype=np.int8), np.empty(len(rows))
        for row, coefficients in enumerate(rows):
            fields, couplings = np.zeros(num_spins), np.zeros((num_spins, num_spins))
            for string, value in zip(strings, coefficients, strict=True):
                *_, (last, _) = ends = string.factors
                if len(ends) == 1:
                    fields[last] += value
                else:
                    couplings[ends[0][0], last] += value
            at_maps = fields[:below] + top @ couplings[:below, below:].T
            within = np.einsum("si,ij,sj->s", top, couplings[below:, below:], top)
            all_energies = within + top @ fields[below:] - np.abs(at_maps).sum(axis=1)
            best = int(all_energies.argmin())
            spins[row] = [*np.where(at_maps[best] > 0.0, -1, 1), *top[best]]
            energies[row] = all_energies[best]
        shape = (family.num_samples, len(family.betas))
        report = replace(
            ConvergenceReport.silent(family), energies=energies.reshape(shape), minima=True, branches=False
        )
        return PreparationResult(states=SpinConfigurations(spins=spins, energies=energies), report=report)


def learns(config, settings, seed, *, exact):
    """Whether a training ends with right outputs: of the true ground states, and of those that its search finds."""
    run = qep.from_file(config, (*settings, f"seed={seed}", "training.evaluate_final=false"))
    known = replace(run.estimator, preparation=OverMaps())
    if exact:
        run = replace(run, estimator=known)
    trainer, data = run.trainer(), run.task.train
    trainer.run()

    def is_right(estimator):
        found = qep.evaluate(estimator, run.executor, trainer.weights, data, purpose="final", index=0)
        return bool((np.sign(found.outputs) == np.sign(data.targets)).all())

    return is_right(known), is_right(run.estimator)


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--config", default="configs/patterns.toml")
    parser.add_argument("--seeds", type=int, default=30)
    options = parser.parse_args()
    table = [["cost", "nudge", "start", "states", "learned", "found"]]
    for labels, settings in CASES.items():
        right = [learns(options.config, settings, seed, exact=labels[-1] == "exact") for seed in range(options.seeds)]
        table.append([*labels, *(f"{sum(one)} of {len(one)}" for one in zip(*right, strict=True))])
    show(table, as_json=options.json)


if __name__ == "__main__":
    main()
