"""`keras.distribution.ModelParallel` of JAX: weights in parts. KIND CASE..."""

import sys

import keras

from tests.batching.device_cases import cases


def main(kind: str, *names: str) -> None:
    devices = keras.distribution.list_devices()
    mesh = keras.distribution.DeviceMesh(
        (1, len(devices)), ["batch", "model"], devices
    )
    layout = keras.distribution.LayoutMap(mesh)
    layout[".*embeddings"] = (None, "model")
    layout[".*(query|key|value).*kernel"] = (None, "model", None)
    layout[".*lstm.*kernel"] = (None, "model")
    parallel = keras.distribution.ModelParallel(
        layout_map=layout, batch_dim_name="batch"
    )
    for case in names:
        wanted = cases.alone(kind, case, "SGD")
        keras.distribution.set_distribution(parallel)
        model = cases.model(kind, cases.masked(), cases.optimizer("SGD"))
        seen = cases.fit(model, cases.batches(case))
        keras.distribution.set_distribution(None)
        parts = [str(v.value.sharding.spec) for v in model.trainable_variables]
        labels = {"engine": f"ModelParallel, {len(devices)} devices"}
        labels |= {"case": case, "ours": "MaskedLoss", "optimizer": "SGD"}
        labels |= {"sharded": sum("model" in part for part in parts)}
        cases.report(kind, labels, seen, wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
