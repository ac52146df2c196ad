"""Handwritten digits through a linear layer, six coupled spins and another linear layer, trained end to end with shots.

    python benchmarks/digits_layer.py [--shots 100] [--epochs 15] [--seeds 4]

The spins are a `QEPLayer` whose states are ramps, run on the statevector engine: its gradient comes from nudged states
with the given shots, that of the linear layers from JAX (extra ``jax``). Beside it the same model without couplings,
whose spins are six independent activation functions.
"""

from __future__ import annotations

import time

import jax
import jax.numpy as jnp
import numpy as np
from shown import parser_of, show
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import qep_qiskit as qep
from qep_qiskit.jax import jax_function

SPINS, CLASSES, BATCH, RATE = 6, 10, 64, 0.02


def layer(shots: int | None, *, coupled: bool, seed: int) -> qep.QEPLayer:
    graph = qep.complete(SPINS) if coupled else qep.from_edges(SPINS, [])
    network = qep.IsingNetwork(
        graph=graph,
        outputs=tuple(range(SPINS)),
        inputs=qep.ClampedInputs.as_fields(range(SPINS)),
        fields=qep.WeightInitialisation(mean=1.0, minimum=0.1),
    )
    return qep.QEPLayer(
        network,
        preparation=qep.AdiabaticPreparation(total_time=6.0, steps=72),
        shots=shots,
        beta=0.5 if shots else None,
        executor=qep.StatevectorExecutor(qep.Seeds(seed)),
    )


def accuracy_of(shots: int | None, epochs: int, seed: int, *, coupled: bool) -> tuple[float, float]:
    """Test accuracy after training, and CPU seconds."""
    spins = layer(shots, coupled=coupled, seed=seed)
    outputs = jax_function(spins)
    inputs, labels = load_digits(return_X_y=True)
    split = train_test_split(inputs / 8.0 - 1.0, labels, test_size=360, random_state=seed, stratify=labels)
    train_x, test_x, train_y, test_y = split
    rng = np.random.default_rng(seed)
    model = {
        "first": rng.normal(size=(64, SPINS)) / 8.0,
        "weights": spins.initial_weights(seed),
        "last": rng.normal(size=(SPINS, CLASSES)),
        "shift": np.zeros(CLASSES),
    }

    def scores(model, x):
        return outputs(model["weights"], x @ model["first"]) @ model["last"] + model["shift"]

    def loss(model, x, y):
        return -jnp.mean(jax.nn.log_softmax(scores(model, x))[jnp.arange(len(y)), y])

    trainable = np.array(spins.network.layout.trainable())
    step_of = jax.jit(jax.grad(loss))
    moments = [{name: np.zeros_like(array) for name, array in model.items()} for _ in "mv"]
    start, step, steps = time.process_time(), 0, epochs * (len(train_y) // BATCH)
    for _ in range(epochs):
        order = rng.permutation(len(train_y))
        for first in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[first : first + BATCH]
            gradient = step_of(model, train_x[rows], train_y[rows])
            rate, step = RATE * (1 - step / steps), step + 1
            for name in model:
                slope = np.asarray(gradient[name]) * (trainable if name == "weights" else 1.0)
                moments[0][name] = 0.9 * moments[0][name] + 0.1 * slope
                moments[1][name] = 0.999 * moments[1][name] + 0.001 * slope**2
                first_moment, second_moment = moments[0][name] / (1 - 0.9**step), moments[1][name] / (1 - 0.999**step)
                model[name] = model[name] - rate * first_moment / (np.sqrt(second_moment) + 1e-8)
            model["weights"] = np.clip(model["weights"], *spins.network.layout.bounds())
    seconds = time.process_time() - start
    return float(np.mean(np.argmax(np.asarray(scores(model, test_x)), axis=1) == test_y)), seconds


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--shots", type=int, default=100, help="0 for exact expectations")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    table, figures = [["six spins", "test accuracy", "CPU s"]], {}
    for name, coupled in (("coupled all to all", True), ("without couplings", False)):
        runs = [accuracy_of(options.shots or None, options.epochs, s, coupled=coupled) for s in range(options.seeds)]
        accuracies, seconds = np.array(runs).T
        mean, error = _mean_and_error(accuracies)
        table.append([name, f"{mean:.3f} ± {error:.3f}", f"{np.median(seconds):.0f}"])
        figures["coupled" if coupled else "independent"] = accuracies.tolist()
    gain, error = _mean_and_error(np.subtract(figures["coupled"], figures["independent"]))
    show(table, figures | {"gain": gain, "gain_se": error}, as_json=options.json)


def _mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Mean over seeds and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


if __name__ == "__main__":
    main()
