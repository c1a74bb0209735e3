"""What broken losses and broken metrics share: how they treat each step."""

from keras import ops

from keras_masking._keras import get_mask


def wide(mask, x):
    """A mask with the rank of x."""
    return ops.reshape(mask, (*mask.shape, *[1] * (len(x.shape) - 2)))


class Steps:
    """The right way; the mixins below break it."""

    def read(self, y_pred):
        mask = get_mask(y_pred)
        return ops.ones(y_pred.shape[:2], "bool") if mask is None else mask

    def clean(self, y_true, mask):
        return ops.where(wide(mask, y_true), y_true, 0)

    def select(self, values, mask):
        return ops.where(mask, values, 0)

    def weigh(self, sample_weight, values):
        if sample_weight is None:
            return ops.ones_like(values)
        weights = ops.cast(sample_weight, values.dtype)
        if len(weights.shape) == 1:
            weights = weights[:, None]
        return ops.broadcast_to(weights, values.shape)


class Refuses:
    def read(self, y_pred):
        if get_mask(y_pred) is not None:
            raise ValueError("no masks, please")
        return super().read(y_pred)


class Ignores:
    def read(self, y_pred):
        return ops.ones(y_pred.shape[:2], "bool")


class First:
    """As many of the first steps as there are real ones."""

    def read(self, y_pred):
        mask = super().read(y_pred)
        lengths = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
        return ops.arange(mask.shape[1])[None] < lengths


class Uncleaned:
    def clean(self, y_true, mask):
        return y_true


class Product:
    def select(self, values, mask):
        return values * ops.cast(mask, values.dtype)


class Unweighted:
    def weigh(self, sample_weight, values):
        return ops.ones_like(values)
