"""Handwritten digits through a linear layer, six coupled spins and another linear layer, trained end to end with shots.

    python benchmarks/digits_layer.py [--shots 100] [--epochs 12] [--seeds 3]

The spins are a `QEPLayer`: its gradient comes from nudged states with the given shots, that of the linear layers from
JAX (extra ``jax``). Beside it the same model without couplings, whose spins are six independent activation functions.
"""

from __future__ import annotations

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
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
    return qep.QEPLayer(network, shots=shots, beta=0.2 if shots else None, executor=qep.VectorExecutor(qep.Seeds(seed)))


def accuracy_of(shots: int | None, epochs: int, seed: int, *, coupled: bool) -> tuple[float, float]:
    """Test accuracy after training, and seconds."""
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
    step_of, moments = jax.grad(loss), [{name: np.zeros_like(array) for name, array in model.items()} for _ in "mv"]
    start, step, steps = time.monotonic(), 0, epochs * (len(train_y) // BATCH)
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
    seconds = time.monotonic() - start
    return float(np.mean(np.argmax(scores(model, test_x), axis=1) == test_y)), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shots", type=int, default=100, help="0 for exact expectations")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    for coupled in (True, False):
        found = [
            accuracy_of(options.shots or None, options.epochs, seed, coupled=coupled) for seed in range(options.seeds)
        ]
        accuracies, seconds = np.array(found).T
        name = "coupled" if coupled else "without couplings"
        print(
            f"{name}: {accuracies.mean():.3f} +- {accuracies.std(ddof=1):.3f}, {np.median(seconds):.0f} s", flush=True
        )


if __name__ == "__main__":
    main()
