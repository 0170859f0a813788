"""Scaling of inputs and targets; the statistics are data, stored in store and checkpoint.

Inputs: z = (f(x) - mean) / std with f the identity or log1p(x / unit), as the table of inputs
says for each variable. Targets: NO2 divided by the layer ratios rho_k = mean_k / mean_0 of the
training split (section 2.2.2) and by the standard deviation s of its surface layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs.samples import GROUPS, OPTIONAL_GROUPS, Inputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.variables import Channel, InputTable

LEAST_STD = 1e-12
"""A smaller standard deviation relative to the mean's size is a constant input."""


class Welford:
    """Count, mean and sum of squared deviations, accumulated block by block in float64.

    Parameters
    ----------
    shape : tuple of int
        Shape of the quantities, e.g. (n_channel, n_level).

    References
    ----------
    .. [1] Chan, T. F., Golub, G. H., LeVeque, R. J.: Updating formulae and a pairwise algorithm
       for computing sample variances, Stanford STAN-CS-79-773, 1979

    Examples
    --------
    >>> total = Welford(())
    >>> for block in ([1.0, 2.0], [3.0]):
    ...     total.add(np.array(block), axis=0)
    >>> float(total.mean), round(float(total.std) ** 2, 6)
    (2.0, 0.666667)
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count = np.zeros(shape)
        self.mean = np.zeros(shape)
        self.squares = np.zeros(shape)

    def add(self, values: NDArray[np.floating], axis: int | tuple[int, ...]) -> None:
        """Add a block whose `axis` are samples; the remaining axes are the quantities."""
        block = np.asarray(values, dtype=np.float64)
        mean = block.mean(axis=axis, keepdims=True)
        squares = ((block - mean) ** 2).sum(axis=axis)
        axes = (axis,) if isinstance(axis, int) else axis
        count = float(np.prod([block.shape[i] for i in axes]))
        self._merge(np.full(self.count.shape, count), mean.squeeze(axis), squares)

    def merge(self, other: Welford) -> None:
        """Add what another accumulator holds."""
        self._merge(other.count, other.mean, other.squares)

    def _merge(
        self,
        count: NDArray[np.floating],
        mean: NDArray[np.floating],
        squares: NDArray[np.floating],
    ) -> None:
        total = self.count + count
        share = np.divide(count, total, out=np.zeros_like(total), where=total > 0)
        apart = mean - self.mean
        self.squares = self.squares + squares + apart**2 * self.count * share
        self.mean = self.mean + apart * share
        self.count = total

    def pooled(self, axis: int) -> Welford:
        """Return the statistics over all quantities along an axis, which is kept with length 1."""
        index = [slice(None)] * self.count.ndim
        shape = list(self.count.shape)
        n, shape[axis] = shape[axis], 1
        total = Welford(tuple(shape))
        for i in range(n):
            index[axis] = slice(i, i + 1)
            part = tuple(index)
            total._merge(self.count[part], self.mean[part], self.squares[part])
        return total

    @property
    def std(self) -> NDArray[np.floating]:
        """Population standard deviation."""
        return np.asarray(np.sqrt(self.squares / np.maximum(self.count, 1.0)))

    def repeated(self, times: int) -> Welford:
        """Return the statistics of the same samples taken several times."""
        total = Welford(self.count.shape)
        total.count, total.mean = self.count * times, self.mean.copy()
        total.squares = self.squares * times
        return total

    def to_dict(self) -> dict[str, Any]:
        """Return lists, for JSON."""
        return {name: getattr(self, name).tolist() for name in ("count", "mean", "squares")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Welford:
        """Build from the lists of `to_dict`."""
        total = cls(np.shape(values["count"]))
        for name in ("count", "mean", "squares"):
            setattr(total, name, np.asarray(values[name], dtype=np.float64))
        return total


@dataclass(frozen=True)
class InputStatistics:
    """Mean and standard deviation of each channel, after its transform.

    Attributes
    ----------
    mean, std : dict of group to ndarray
        Shape (n_channel,), for the group `multi` (n_channel, n_level).
    """

    mean: dict[str, NDArray[np.floating]]
    std: dict[str, NDArray[np.floating]]

    def to_dict(self) -> dict[str, Any]:
        """Return lists, for JSON."""
        return {
            "mean": {group: values.tolist() for group, values in self.mean.items()},
            "std": {group: values.tolist() for group, values in self.std.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> InputStatistics:
        """Build from the lists of `to_dict`."""
        return cls(
            {group: np.asarray(v, dtype=np.float64) for group, v in values["mean"].items()},
            {group: np.asarray(v, dtype=np.float64) for group, v in values["std"].items()},
        )


class StatisticsBuilder:
    """Statistics of the training split, computed while samples or days pass by.

    Parameters
    ----------
    table : InputTable
        Channels and their transforms.
    n_level : int
        Heights of the multi-level group.
    """

    def __init__(self, table: InputTable, n_level: int) -> None:
        self._table = table
        self._totals = {
            group: Welford(
                (len(table.channels(group)), n_level)
                if group == "multi"
                else (len(table.channels(group)),)
            )
            for group in GROUPS
        }

    @property
    def totals(self) -> dict[str, Welford]:
        """What was added to each group."""
        return self._totals

    def merge(self, group: str, total: Welford) -> None:
        """Add what another builder of the same table holds of a group."""
        self._totals[group].merge(total)

    def add(self, group: str, values: NDArray[np.floating]) -> None:
        """Add a group's block, shaped as in `Inputs`, e.g. (T, 13, h, w) for `single`.

        Static groups are the same on all days and need to be added once.
        """
        total = self._totals[group]
        channel_axis = {"temporal": 0, "emission": 0, "geography": 0}.get(group, 1)
        channels = self._table.channels(group)
        parts = np.moveaxis(np.asarray(values, dtype=np.float64), channel_axis, 0)
        moved = np.stack([transform(part, c) for part, c in zip(parts, channels, strict=True)])
        if group == "multi":  # (C, T, Z, h, w)
            moved = np.moveaxis(moved, 2, 1)
        flat = moved.reshape(*total.count.shape, -1)
        total.add(flat, axis=-1)

    def statistics(self) -> InputStatistics:
        """Return mean and standard deviation; encoded channels (sine, one-hot) keep 0 and 1.

        Variables of the multi-level group share one mean and one deviation over all heights,
        unless the table says `statistics = "level"`.

        Raises
        ------
        DataError
            If a variable never varies.
        """
        mean: dict[str, NDArray[np.floating]] = {}
        std: dict[str, NDArray[np.floating]] = {}
        for group, total in self._totals.items():
            channels = self._table.channels(group)
            mean[group], std[group] = total.mean.copy(), total.std.copy()
            if group == "multi":
                pooled = total.pooled(1)
                one = [c.statistics == "variable" for c in channels]
                mean[group][one], std[group][one] = pooled.mean[one], pooled.std[one]
            for i, channel in enumerate(channels):
                if channel.is_encoded:
                    mean[group][i], std[group][i] = 0.0, 1.0
                elif not (std[group][i] > LEAST_STD * np.abs(mean[group][i])).all():
                    msg = (
                        f"Invalid input {channel.name}. It must vary over the training days. "
                        f"Given the constant {float(mean[group][i].flat[0]):g}. "
                        "Check its file, or remove its row from the table of inputs."
                    )
                    raise DataError(msg)
        return InputStatistics(mean, std)


def transform(values: NDArray[np.floating], channel: Channel) -> NDArray[np.floating]:
    """Apply a channel's transform: itself, or log1p(x / unit)."""
    if channel.transform == "log1p":
        return np.asarray(np.log1p(values / channel.log_unit))
    return values


class Normaliser:
    """Bring inputs in the units of the table to the network's scale.

    Parameters
    ----------
    table : InputTable
        Channels and their transforms.
    statistics : InputStatistics
        Mean and standard deviation of each channel.

    Raises
    ------
    ValueError
        If the statistics are not those of the table's channels.
    """

    def __init__(self, table: InputTable, statistics: InputStatistics) -> None:
        self.table = table
        self.statistics = statistics
        self._mean: dict[str, Tensor] = {}
        self._std: dict[str, Tensor] = {}
        self._logs: dict[str, list[tuple[int, float]]] = {}
        for group in GROUPS:
            channels = table.channels(group)
            mean, std = statistics.mean[group], statistics.std[group]
            if mean.shape[:1] != (len(channels),) or std.shape != mean.shape:
                msg = (
                    f"Invalid statistics. The group {group} must have {len(channels)} channels. "
                    f"Given shape {mean.shape}. Use the statistics of this table of inputs."
                )
                raise ValueError(msg)
            # (C,) or (C, Z) to (C, [Z,] 1, 1), so that it broadcasts over maps
            tail = () if group == "temporal" else (1, 1)
            self._mean[group] = torch.tensor(mean, dtype=torch.float32).reshape(*mean.shape, *tail)
            self._std[group] = torch.tensor(std, dtype=torch.float32).reshape(*std.shape, *tail)
            self._logs[group] = [
                (i, c.log_unit) for i, c in enumerate(channels) if c.transform == "log1p"
            ]

    def normalise(self, inputs: Inputs) -> Inputs:
        """Normalise a sample or a batch; groups that the table does not have are left out.

        The optional groups keep the units of the table.

        Raises
        ------
        DataError
            If a value is not finite, negative where the transform is a logarithm, or a group of
            the table is not there; the message names the variable.
        """
        found = inputs.groups
        changed = {group: self._group(group, found[group]) for group in GROUPS}
        kept = {
            group: self._plain(group, found.get(group))
            for group in self.table.groups
            if group in OPTIONAL_GROUPS
        }
        return Inputs(**changed, **kept)

    def _plain(self, group: str, values: Tensor | None) -> Tensor:
        """Look at an optional group, which is not changed: amounts are finite and not negative."""
        if values is None:
            names = ", ".join(variable.name for variable in self.table.group(group))
            msg = (
                f"Missing inputs {names}. The network needs the group {group}. Given a day without "
                "it. Prepare the day with it, or use a network without it."
            )
            raise DataError(msg)
        channels = self.table.channels(group)
        for rule, wrong in (("finite", ~torch.isfinite(values)), ("non-negative", values < 0)):
            if bool(wrong.any()):
                of_channel = wrong.transpose(0, -3).flatten(1).sum(dim=1)
                # all levels of CAMS are one variable
                index = int(of_channel.nonzero()[0, 0]) if len(channels) > 1 else 0
                count = f"{int(wrong.sum())} values that are not"
                _raise_invalid(channels[index].name, rule, count)
        return values

    def _group(self, group: str, values: Tensor) -> Tensor:
        n_map = 0 if group == "temporal" else 3 if group == "multi" else 2
        axis = values.ndim - 1 - n_map
        if not bool(torch.isfinite(values).all()):
            self._refuse(group, axis, ~torch.isfinite(values))
        if self._logs[group]:
            values = values.clone()
            for i, unit in self._logs[group]:
                channel = values.select(axis, i)
                if bool((channel < 0).any()):
                    name = self.table.channels(group)[i].name
                    _raise_invalid(name, "non-negative", float(channel.min()))
                channel.div_(unit).log1p_()
        mean = self._mean[group].to(values.device)
        return (values - mean) / self._std[group].to(values.device)

    def _refuse(self, group: str, axis: int, wrong: Tensor) -> None:
        """Name the first channel with values that are not finite."""
        per_channel = wrong.movedim(axis, 0).reshape(wrong.shape[axis], -1).sum(dim=1)
        index = int(per_channel.nonzero()[0, 0])
        name = self.table.channels(group)[index].name
        _raise_invalid(name, "finite", f"{int(per_channel[index])} values that are not")


def _raise_invalid(name: str, rule: str, given: object) -> None:
    msg = (
        f"Invalid input {name}. Its values must be {rule}. Given {given}. "
        "Check its file and prepare the day again."
    )
    raise DataError(msg)


@dataclass(frozen=True)
class TargetScaling:
    """Layer ratios and target scale.

    Attributes
    ----------
    layer_ratio : tuple of float
        rho_k = mean_k / mean_0 of the training targets, shape (n_level,); rho_0 = 1.
    target_scale : float
        s [ug m-3], by default the standard deviation of surface targets; 1 leaves them as the
        paper's text has them.
    layer_std : tuple of float
        Standard deviation of each layer's training targets over its scale [1]; empty in older
        checkpoints.

    Examples
    --------
    >>> scaling = TargetScaling((1.0, 0.5), 4.0)
    >>> scaling.scale(torch.full((1, 2, 1, 1), 8.0)).flatten().tolist()
    [2.0, 4.0]
    """

    layer_ratio: tuple[float, ...]
    target_scale: float = 1.0
    layer_std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "layer_ratio", tuple(float(r) for r in self.layer_ratio))
        object.__setattr__(self, "layer_std", tuple(float(r) for r in self.layer_std))
        positive = [*self.layer_ratio, self.target_scale, *self.layer_std]
        if not all(np.isfinite(x) and x > 0 for x in positive):
            msg = (
                "Invalid target scaling. Layer ratios and scale must be positive. Given "
                f"{positive}. Compute them from targets with NO2 at all heights."
            )
            raise ValueError(msg)

    @classmethod
    def from_moments(cls, mean: Sequence[float], std: Sequence[float]) -> TargetScaling:
        """Build from mean and standard deviation of each layer.

        Raises
        ------
        ValueError
            If a layer has no NO2, or the lowest one does not vary.
        """
        surface = mean[0] if mean[0] > 0.0 else float("nan")
        ratio = tuple(m / surface for m in mean)
        scales = [r * std[0] for r in ratio]
        scaled = (s / x if x > 0.0 else float("nan") for s, x in zip(std, scales, strict=True))
        return cls(ratio, std[0], tuple(scaled))

    def layer_weights(self, balance: float, like: Tensor) -> Tensor:
        """Return weights of the layers' squares (n_level, 1, 1), of mean 1.

        Raises
        ------
        ValueError
            If the deviations of the layers are not known.
        """
        if not self.layer_std:
            msg = (
                "Invalid loss. A balance of layers needs their deviations. Given a scaling of an "
                "older version without. Set balance to 0."
            )
            raise ValueError(msg)
        inverse = torch.tensor(self.layer_std, dtype=like.dtype, device=like.device) ** -2
        return (1.0 - balance + balance * inverse / inverse.mean()).view(-1, 1, 1)

    @property
    def units(self) -> Tensor:
        """The network's unit at each height [ug m-3], shape (n_level,)."""
        return torch.tensor(self.layer_ratio, dtype=torch.float32) * self.target_scale

    def _factor(self, like: Tensor) -> Tensor:
        ratio = torch.tensor(self.layer_ratio, dtype=like.dtype, device=like.device)
        return (ratio * self.target_scale).view(-1, 1, 1)

    def scale(self, concentration: Tensor) -> Tensor:
        """Micrograms per cubic metre (..., n_level, H, W) to the network's scale."""
        return concentration / self._factor(concentration)

    def unscale(self, prediction: Tensor) -> Tensor:
        """Multiply the network's output (..., n_level, H, W): micrograms per cubic metre."""
        return prediction * self._factor(prediction)
