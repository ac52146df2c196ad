"""What holds a network back from learning of distant spins: the vote of ``dmrg_57.toml`` on a star of three chains.

    python benchmarks/distant_votes.py [--config configs/dmrg_57.toml] [--epochs 8] [--seeds 3]

The star has ten spins: the output in the middle, and three chains of three couplings to the voices. It is diagonalised,
so that a training takes seconds. Rows differ in how inputs start, in biases, and in the optimiser; all have the shots,
the batches and the rest of the configuration, but for stronger couplings, because a chain carries less than a lattice.

    epochs     first epoch with a train accuracy of one, by seed; - where none has it
    loss       train loss at the end, the mean over seeds
"""

from __future__ import annotations

import numpy as np
from shown import parser_of, show

import qep_qiskit as qep

ARM, VOICES = 3, 3
ENDS = [ARM * (voice + 1) for voice in range(VOICES)]
EDGES = [[0 if spin % ARM == 1 else spin - 1, spin] for spin in range(1, ARM * VOICES + 1)]
STAR = (
    f'network={{graph = "edges", num_spins = {ARM * VOICES + 1}, edges = {EDGES}, outputs = [0], '
    'couplings = {distribution = "normal", mean = 0.7, std = 0.1}}',
    'preparation={kind = "exact"}',
    "training.evaluate_every=1",
)
FIELDS = f'network.inputs={{mode = "fields", spins = {ENDS}, strength = 2.0}}'
LINKS = [[voice, end] for voice, end in enumerate(ENDS)]
WEIGHTS = f'network.inputs={{links = {LINKS}, distribution = "normal", std = 0.05}}'
NO_BIASES = "network.biases.enabled=false"
ADAM = 'update={kind = "adam", learning_rate = 0.1}'
CASES = {
    ("fixed fields", "yes", "Adam, 0.1"): (FIELDS, ADAM),
    ("fixed fields", "no", "gradient descent, 1"): (FIELDS, NO_BIASES),
    ("weights near 0", "yes", "Adam, 0.1"): (WEIGHTS, ADAM),
    ("weights near 0", "no", "Adam, 0.1"): (WEIGHTS, NO_BIASES, ADAM),
    ("weights near 0", "no", "gradient descent, 1"): (WEIGHTS, NO_BIASES),
}


class Curve(qep.Callback):
    """Train loss and accuracy by epoch."""

    def __init__(self):
        self.rows = []

    def on_epoch(self, trainer, record):
        self.rows.append((record["train_loss"], record["train_accuracy"]))


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--config", default="configs/dmrg_57.toml")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    table = [["inputs", "biases", "optimiser", "epochs", "loss"]]
    for labels, settings in CASES.items():
        curves = []
        for seed in range(1, options.seeds + 1):
            curve = Curve()
            own = (*STAR, *settings, f"training.epochs={options.epochs}", f"seed={seed}")
            qep.from_file(options.config, own).trainer([curve]).run()
            curves.append(np.array(curve.rows))
        first = [next((str(epoch) for epoch, row in enumerate(one) if row[1] == 1.0), "-") for one in curves]
        table.append([*labels, ", ".join(first), f"{np.mean([one[-1, 0] for one in curves]):.2f}"])
    show(table, as_json=options.json)


if __name__ == "__main__":
    main()
