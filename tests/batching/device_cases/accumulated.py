"""`gradient_accumulation_steps` on one device: MODEL CASE..."""

import sys

from keras_masking.batching import split_weights
from tests.batching.device_cases import cases


def main(kind: str, *names: str) -> None:
    for case in names:
        for steps in (2, 4) if case == "uneven" else (2,):
            parts = cases.parts(case, steps)
            weighted = split_weights(parts, accumulate=steps)
            for name in cases.optimizers(kind, case):
                wanted = cases.alone(kind, case, name, steps)
                for label, loss, given in (
                    ("Keras", cases.crossentropy(), parts),
                    ("MaskedLoss", cases.masked(), weighted),
                    ("split_weights", cases.crossentropy(), weighted),
                ):
                    optimizer = cases.optimizer(name, steps)
                    model = cases.model(kind, loss, optimizer)
                    seen = cases.fit(model, given)
                    labels = {"engine": f"accumulation, {steps} steps"}
                    labels |= {"case": case, "ours": label, "optimizer": name}
                    cases.report(kind, labels, seen, wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
