"""`tf.distribute.MirroredStrategy` over logical CPUs: REPLICAS MODEL CASE..."""

import sys

import tensorflow as tf

from keras_masking.batching import fill_rows
from keras_masking.batching import split_weights
from tests.batching.device_cases import cases


def main(replicas: int, kind: str, *names: str) -> None:
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * replicas
    )
    strategy = tf.distribute.MirroredStrategy(
        [f"CPU:{i}" for i in range(replicas)]
    )
    for case in names:
        batches = cases.batches(case)
        filled = fill_rows(batches, replicas)
        weighted = split_weights(filled, replicas=replicas)
        for name in cases.optimizers(kind, case):
            wanted = cases.alone(kind, case, name)
            for label, loss, given in (
                ("Keras", cases.crossentropy(), batches),
                ("MaskedLoss", cases.masked(), batches),
                ("split_weights", cases.crossentropy(), weighted),
            ):
                with strategy.scope():
                    model = cases.model(kind, loss, cases.optimizer(name))
                    seen = cases.fit(model, given)
                labels = {"engine": f"MirroredStrategy, {replicas} replicas"}
                labels |= {"case": case, "ours": label, "optimizer": name}
                cases.report(kind, labels, seen, wanted)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
