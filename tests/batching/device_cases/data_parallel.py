"""`keras.distribution.DataParallel` of JAX over CPUs: MODEL CASE..."""

import sys

import keras

from keras_masking.batching import fill_rows
from keras_masking.batching import split_weights
from tests.batching.device_cases import cases


def main(kind: str, *names: str) -> None:
    devices = keras.distribution.list_devices()
    parallel = keras.distribution.DataParallel(devices=devices)
    for case in names:
        batches = fill_rows(cases.batches(case), len(devices))
        for name in cases.optimizers(kind, case):
            wanted = cases.alone(kind, case, name)
            for label, loss in (
                ("Keras", cases.crossentropy()),
                ("MaskedLoss", cases.masked()),
            ):
                keras.distribution.set_distribution(parallel)
                model = cases.model(kind, loss, cases.optimizer(name))
                labels = {"engine": f"DataParallel, {len(devices)} devices"}
                labels |= {"case": case, "ours": label, "optimizer": name}
                try:
                    given = cases.batches(case) if label == "Keras" else batches
                    seen = cases.fit(model, given)
                except ValueError as error:
                    cases.failed(kind, labels, error)
                    continue
                finally:
                    keras.distribution.set_distribution(None)
                cases.report(kind, labels, seen, wanted)
        if case == "uneven":
            accumulated(kind, parallel, len(devices))


def accumulated(kind: str, parallel: object, devices: int) -> None:
    """Two micro-batches, each on all devices."""
    weighted = split_weights(cases.parts("uneven", 2), accumulate=2)
    wanted = cases.alone(kind, "uneven", "SGD", 2)
    keras.distribution.set_distribution(parallel)
    model = cases.model(kind, cases.masked(), cases.optimizer("SGD", 2))
    seen = cases.fit(model, weighted)
    keras.distribution.set_distribution(None)
    labels = {"engine": f"DataParallel, {devices} devices, 2 steps"}
    labels |= {"case": "uneven", "ours": "MaskedLoss", "optimizer": "SGD"}
    cases.report(kind, labels, seen, wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
