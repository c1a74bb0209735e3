"""PyTorch's `DistributedDataParallel` in two processes: MODEL CASE...

Without a rank it starts the processes, and prints what they print.
"""

import os
import subprocess
import sys
import tempfile
import warnings

import torch
from torch import distributed

from keras_masking._keras import FIT_AVERAGES_PROCESSES
from keras_masking.batching import fill_rows
from keras_masking.batching import split_weights
from keras_masking.errors import MaskWarning
from tests.batching.device_cases import cases

PROCESSES = 2


def start(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        workers = [
            subprocess.Popen(
                [sys.executable, "-m", __spec__.name, *arguments],
                env={
                    **os.environ,
                    "RANK": str(rank),
                    "MEETING": f"file://{folder}/meeting",
                    "GLOO_SOCKET_IFNAME": "lo",  # 127.0.0.1
                },
            )
            for rank in range(PROCESSES)
        ]
        try:
            return max(worker.wait(timeout=300) for worker in workers)
        finally:
            for worker in workers:
                worker.kill()


def main(rank: int, kind: str, *names: str) -> None:
    distributed.init_process_group(
        "gloo", os.environ["MEETING"], rank=rank, world_size=PROCESSES
    )
    for case in names:
        whole = [cases.data(case)]
        own = list(split_weights(whole, replicas=PROCESSES, shard=rank))
        parts = cases.parts(case, 2) if case == "uneven" else []
        twice = list(
            split_weights(
                *(parts, 2, PROCESSES),
                shard=rank,
            )
        )
        mine = [shard(batch, rank) for batch in whole]
        # The process group must not be seen by the training alone.
        for name in cases.optimizers(kind, case):
            steps = {
                "Keras": (cases.crossentropy(), mine, 1),
                "MaskedLoss": (cases.masked(synchronized=True), mine, 1),
                "split_weights": (cases.crossentropy(), own, 1),
            }
            if parts:
                steps["split_weights, 2 steps"] = cases.crossentropy(), twice, 2
            for label, (loss, batches, count) in steps.items():
                wanted = one_process(kind, case, name, count)
                model = cases.model(kind, loss, cases.optimizer(name, count))
                seen = train(model, batches)
                labels = {"engine": f"DDP, {PROCESSES} processes"}
                labels |= {"case": case, "ours": label, "optimizer": name}
                if rank == 0:
                    cases.report(kind, labels, seen, wanted)
    fit(rank, kind)
    distributed.barrier()


def shard(batch: cases.Batch, rank: int) -> cases.Batch:
    """The rows of a process, as many as those of the others."""
    ((x, y, _),) = fill_rows([batch], PROCESSES)
    size = len(x) // PROCESSES
    rows = slice(rank * size, (rank + 1) * size)
    return x[rows], y[rows]


def train(model: cases.keras.Model, batches: list) -> cases.Trained:
    """A loop of one's own; the loss is the mean over the processes."""
    wrapped = torch.nn.parallel.DistributedDataParallel(model)
    model.train()
    losses = []
    for x, y, *weights in batches:
        model.zero_grad()
        y_pred = wrapped(torch.as_tensor(x))
        loss = model.compute_loss(x, y, y_pred, *weights)
        loss.backward()
        losses.append(loss.detach() / PROCESSES)
        trainable = model.trainable_weights
        with torch.no_grad():
            model.optimizer.apply([v.value.grad for v in trainable], trainable)
    total = torch.stack(losses).mean()
    distributed.all_reduce(total)
    return cases.Trained(model, {"loss": float(total)})


def one_process(kind: str, case: str, name: str, steps: int) -> cases.Trained:
    """The same loop in one process with the whole batch."""
    model = cases.model(
        kind, cases.crossentropy(), cases.optimizer(name, steps)
    )
    ((x, y),) = [cases.data(case)]
    for _ in range(steps):
        model.zero_grad()
        loss = model.compute_loss(x, y, model(torch.as_tensor(x)))
        loss.backward()
        trainable = model.trainable_weights
        with torch.no_grad():
            model.optimizer.apply([v.value.grad for v in trainable], trainable)
    return cases.Trained(model, {"loss": float(loss.detach())})


def fit(rank: int, kind: str) -> None:
    """Keras' `fit`: since 3.16 it averages gradients over the processes."""
    x, y = shard(cases.data("uneven"), rank)
    model = cases.model(kind, cases.masked(), cases.optimizer("SGD"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MaskWarning)
        seen = cases.fit(model, [(x, y)])
        cases.fit(model, [(x, y)])
    said = [str(w.message) for w in caught if w.category is MaskWarning]
    if rank == 0:
        labels = {"engine": f"fit, {PROCESSES} processes", "case": "uneven"}
        labels |= {"ours": "MaskedLoss", "optimizer": "SGD"}
        labels |= {"averages": FIT_AVERAGES_PROCESSES, "warnings": said}
        wanted = one_process(kind, "uneven", "SGD", 1)
        cases.report(kind, labels, seen, wanted)


if __name__ == "__main__":
    if "RANK" in os.environ:
        main(int(os.environ["RANK"]), *sys.argv[1:])
    else:
        sys.exit(start(sys.argv[1:]))
