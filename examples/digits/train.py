"""A recurring training job: a small neural network learns to read scikit-learn's handwritten digits.

The network, the data and the loop are ordinary. The lines for zeus-bso are marked with ``# <--``. Every launch of this
script is one recurrence of the job: it gets a batch size, trains with it, reports, and is told when to stop. Launch it
again and again, as a nightly retrain would, and the job settles on the batch size of the least energy and time::

    zeus-bso serve &
    python examples/digits/train.py

A run that misses its target ends with ``ZeusBSOTrainFailError`` and exit code 1, which means: launch it again.
"""

from __future__ import annotations

import os

# The matrices are small, so one thread is fastest, and the other cores stay free.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec

LEARNING_RATE = np.float32(0.05)
MOMENTUM = np.float32(0.9)
HIDDEN_UNITS = 512
MAX_EPOCHS = 40

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


def main() -> None:
    """Train once, with the batch size that zeus-bso gives."""
    bso = BatchSizeOptimizer(  # <-- describes the job; the server knows the rest
        monitor=EnergyMonitor(),
        server_url=os.environ.get("ZEUS_BSO_SERVER_URL", "http://127.0.0.1:8000"),
        job=JobSpec(
            job_id_prefix="digits-mlp",
            default_batch_size=256,
            batch_sizes=[8, 16, 32, 64, 128, 256, 512, 1024],
            target_metric=0.965,
            max_epochs=MAX_EPOCHS,
        ),
    )
    batch_size = bso.get_batch_size()  # <-- instead of a fixed number

    rng = np.random.default_rng()  # no seed: no two recurrences are alike
    images, labels, test_images, test_labels = load_data(rng)
    network = Network(rng, inputs=images.shape[1], outputs=10)

    bso.on_train_begin()  # <-- time and energy count from here
    for epoch in range(1, MAX_EPOCHS + 1):
        order = rng.permutation(len(images))
        for start in range(0, len(images), batch_size):
            batch = order[start : start + batch_size]
            network.learn(images[batch], labels[batch])

        accuracy = network.accuracy(test_images, test_labels)
        print(f"batch size {batch_size}, epoch {epoch}: accuracy {accuracy:.4f}", flush=True)

        bso.on_evaluate(accuracy)  # <-- reports; raises ZeusBSOTrainFailError if the run has failed
        if bso.training_finished:
            break


def load_data(rng: np.random.Generator) -> tuple[Floats, Labels, Floats, Labels]:
    """Draw 1,100 training images, different ones each time, like new data. The test images stay the same."""
    images, labels = load_digits(return_X_y=True)
    pixels = (images / 16.0).astype(np.float32)
    shuffled = np.random.default_rng(0).permutation(len(images))
    test, train = shuffled[:497], rng.choice(shuffled[497:], 1100, replace=False)
    return *with_shifts(pixels[train], labels[train]), *with_shifts(pixels[test], labels[test])


def with_shifts(images: Floats, labels: Labels) -> tuple[Floats, Labels]:
    """Add eight copies of each 8 x 8 image, shifted by one pixel in each direction."""
    padded = np.pad(images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    shifted = [padded[:, y : y + 8, x : x + 8].reshape(-1, 64) for y in range(3) for x in range(3)]
    return np.concatenate(shifted), np.tile(labels, len(shifted))


class Network:
    """One hidden layer of rectified units and a softmax, trained by stochastic gradient descent with momentum."""

    def __init__(self, rng: np.random.Generator, inputs: int, outputs: int) -> None:
        sizes = [(inputs, HIDDEN_UNITS), (HIDDEN_UNITS,), (HIDDEN_UNITS, outputs), (outputs,)]
        scales = [np.sqrt(2 / inputs), 0, np.sqrt(2 / HIDDEN_UNITS), 0]
        self.weights = [
            rng.normal(0, scale, size).astype(np.float32) for scale, size in zip(scales, sizes, strict=True)
        ]
        self.velocities = [np.zeros_like(weight) for weight in self.weights]

    def learn(self, images: Floats, labels: Labels) -> None:
        """Take one step down the gradient of the cross-entropy of a batch."""
        w1, b1, w2, b2 = self.weights
        hidden = np.maximum(images @ w1 + b1, 0)
        logits = hidden @ w2 + b2
        error = np.exp(logits - logits.max(axis=1, keepdims=True))
        error /= error.sum(axis=1, keepdims=True)
        error[np.arange(len(labels)), labels] -= 1
        error /= len(labels)

        hidden_error = (error @ w2.T) * (hidden > 0)
        gradients = [images.T @ hidden_error, hidden_error.sum(axis=0), hidden.T @ error, error.sum(axis=0)]
        for weight, velocity, gradient in zip(self.weights, self.velocities, gradients, strict=True):
            velocity *= MOMENTUM
            velocity -= LEARNING_RATE * gradient
            weight += velocity

    def accuracy(self, images: Floats, labels: Labels) -> float:
        """The fraction of images that are classified correctly."""
        w1, b1, w2, b2 = self.weights
        answers = (np.maximum(images @ w1 + b1, 0) @ w2 + b2).argmax(axis=1)
        return float((answers == labels).mean())


if __name__ == "__main__":
    main()
