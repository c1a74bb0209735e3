"""What converters refuse, with a part of the error that says so.

Found by running, with the versions of tox's environment `export`.
"""

Cell = tuple[str, str, str]  # backend, format, model
REVERSED = "Reverse scan is not supported"  # jax2onnx 0.17.1, Bidirectional
BY_VALUE = "decides in Python by the value"  # a masked RNN of Keras on PyTorch
LISTS = "FlexTensorListReserve"  # LiteRT has no lists, which an RNN is made of

REFUSED: dict[Cell, str] = {
    ("jax", "onnx", "m4"): REVERSED,
    ("jax", "openvino", "m4"): REVERSED,
    ("torch", "onnx", "m4"): BY_VALUE,
    ("torch", "openvino", "m4"): BY_VALUE,
    ("torch", "torch", "m4"): BY_VALUE,
    ("tensorflow", "litert", "m4"): LISTS,
}
