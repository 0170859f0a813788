"""Checkpoints: weights and everything that is needed to use them, in one safetensors file.

Configuration, table of inputs, grid, heights, statistics, layer ratios and origin travel with
the weights, so that data which do not fit are refused by a sentence, never by a shape error.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dacno2_s5p.errors import CheckpointError, ConfigurationError
from dacno2_s5p.inputs.grid import ModelGrid
from dacno2_s5p.inputs.normalisation import InputStatistics, Normaliser, TargetScaling
from dacno2_s5p.inputs.samples import OPTIONAL_GROUPS
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.network.dacno2 import Dacno2, NetworkConfig
from dacno2_s5p.network.tensor_file import read_metadata, read_tensors, write_tensors
from retrieval.files.damage import CONTENT_ERRORS, describe_fault
from retrieval.files.provenance import file_checksum, version_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


FORMAT = 1
"""Version of the metadata; raised when older readers would misread it."""

ORIGINS = ("real", "synthetic")
"""What the training data are."""


@dataclass(frozen=True)
class CheckpointInfo:
    """All about a checkpoint but its weights.

    Attributes
    ----------
    network : NetworkConfig
        Architecture.
    inputs : InputTable
        Channels, their units and transforms.
    grid : ModelGrid
        Grid of the training data.
    preparation : Preparation
        Heights, target window, weather steps.
    statistics : InputStatistics
        Means and deviations of the training split.
    scaling : TargetScaling
        Layer ratios and target scale.
    phase, step : int
        Training phase, and the step that was best on its validation part.
    training_data : {"real", "synthetic"}
        `synthetic` for the twin world.
    world : str
        Kind of twin world that the training data are of; empty for real ones, and in checkpoints
        that are older than its second version.
    data_manifest : str
        SHA-256 of the training store's manifest.
    parent : str
        Fingerprint of the checkpoint the phase started from; empty for phase 1.
    training_stations : tuple of str
        Sampling points that this phase and those before it were trained on, sorted; evaluation
        refuses them.
    trained_days : tuple of str
        Days that this phase and those before it were trained on, sorted; older checkpoints name
        none.
    recipe : dict
        The recipe of the run, plain values.
    metrics : dict of str to float
        Validation loss and its terms; evaluations may add theirs.
    versions : dict of str to str
        Versions of the packages that wrote it.
    """

    network: NetworkConfig
    inputs: InputTable
    grid: ModelGrid
    preparation: Preparation
    statistics: InputStatistics
    scaling: TargetScaling
    phase: int
    step: int
    training_data: str
    world: str = ""
    data_manifest: str = ""
    parent: str = ""
    training_stations: tuple[str, ...] = ()
    trained_days: tuple[str, ...] = ()
    recipe: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.training_data not in ORIGINS:
            msg = (
                f"Invalid training_data. It must be one of {', '.join(ORIGINS)}. Given "
                f"{self.training_data!r}. Say what the training data are."
            )
            raise ConfigurationError(msg)
        expected: dict[str, Any] = dict.fromkeys(OPTIONAL_GROUPS, 0) | self.inputs.widths
        expected["n_level"] = len(self.preparation.heights)
        if self.network.has_guess:
            expected["heights"] = self.preparation.heights
        for name, number in expected.items():
            if getattr(self.network, name) != number:
                msg = (
                    f"Invalid network. Its {name} must be that of inputs and heights, {number}. "
                    f"Given {getattr(self.network, name)}. Build it from the table of inputs."
                )
                raise ConfigurationError(msg)

    @property
    def trained_world(self) -> str:
        """Kind of twin world that it was trained on; empty for real data.

        A checkpoint that names none was trained on the version that its recipe names, the first if
        none.
        """
        if self.world or self.training_data != "synthetic":
            return self.world
        version = self.recipe.get("data", {}).get("twin", {}).get("version", 1)
        return "twin world" if version == 1 else f"twin world, version {version}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "format": FORMAT,
            "network": self.network.to_dict(),
            "inputs": self.inputs.to_dict(),
            "grid": self.grid.to_dict(),
            "preparation": self.preparation.to_dict(),
            "statistics": self.statistics.to_dict(),
            "layer_ratio": list(self.scaling.layer_ratio),
            "target_scale": self.scaling.target_scale,
            "layer_std": list(self.scaling.layer_std),
            "phase": self.phase,
            "step": self.step,
            "training_data": self.training_data,
            "world": self.world,
            "data_manifest": self.data_manifest,
            "parent": self.parent,
            "training_stations": list(self.training_stations),
            "trained_days": list(self.trained_days),
            "recipe": self.recipe,
            "metrics": self.metrics,
            "versions": self.versions,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CheckpointInfo:
        """Build from the values of `to_dict`."""
        same = ("phase", "step", "training_data", "data_manifest", "parent", "recipe", "metrics")
        for name in ("recipe", "metrics", "versions"):
            if not isinstance(values[name], dict):
                msg = f"{name} {values[name]!r}, no table"
                raise TypeError(msg)
        return cls(
            network=NetworkConfig.from_dict(values["network"]),
            inputs=InputTable.from_dict(values["inputs"]),
            grid=ModelGrid.from_dict(values["grid"]),
            preparation=Preparation.from_dict(values["preparation"]),
            statistics=InputStatistics.from_dict(values["statistics"]),
            scaling=TargetScaling(
                tuple(values["layer_ratio"]),
                values["target_scale"],
                tuple(values.get("layer_std", ())),
            ),
            versions=values["versions"],
            training_stations=tuple(values.get("training_stations", ())),
            trained_days=tuple(map(str, values.get("trained_days", ()))),
            world=str(values.get("world", "")),
            **{name: values[name] for name in same},
        )


@dataclass(frozen=True)
class Checkpoint:
    """A network that is ready to predict, and all about it.

    Attributes
    ----------
    path : Path
        The file.
    fingerprint : str
        SHA-256 of the file.
    info : CheckpointInfo
    network : Dacno2
        In eval mode.
    """

    path: Path
    fingerprint: str
    info: CheckpointInfo
    network: Dacno2

    @cached_property
    def normaliser(self) -> Normaliser:
        """Scaling of inputs with the training statistics."""
        return Normaliser(self.info.inputs, self.info.statistics)

    def require(
        self,
        *,
        grid: ModelGrid | None = None,
        inputs: InputTable | None = None,
        preparation: Preparation | None = None,
    ) -> None:
        """Refuse data the network was not made for.

        Raises
        ------
        CheckpointError
            If the grid is not on the checkpoint's lattice, the inputs differ, or they were
            prepared in another way (heights, target window, weather steps).
        """
        if grid is not None and not grid.is_on_lattice_of(self.info.grid):
            own = self.info.grid
            self._refuse(
                "grid",
                f"{grid.name} ({grid.crs}, {grid.spacing:g})",
                f"{own.name} ({own.crs}, {own.spacing:g})",
            )
        if inputs is not None:
            # optional groups that the network does not know are passed over
            given = inputs.select(self.info.inputs.groups)
            if given != self.info.inputs:
                self._refuse("inputs", *_first_difference(given, self.info.inputs))
        if preparation is not None:
            theirs, own_way = preparation.to_dict(), self.info.preparation.to_dict()
            if "transport" not in self.info.inputs.groups:
                theirs.pop("transport", None)
            for key, value in theirs.items():
                if value != own_way.get(key):
                    self._refuse(key.replace("_", " "), f"{value}", f"{own_way.get(key)}")

    def require_origin(self, inputs: str, *, allow_synthetic: bool = False) -> None:
        """Refuse a network trained on the twin world for real inputs.

        Raises
        ------
        CheckpointError
            If the checkpoint is synthetic, the inputs are real, and that is not allowed.
        """
        if inputs == "real" and self.info.training_data == "synthetic" and not allow_synthetic:
            msg = (
                f"Invalid checkpoint {self.path.name}. It was trained on the twin world and knows "
                "nothing of the real one. Given real inputs. Train on real data, or give "
                "--allow-synthetic to try the machinery."
            )
            raise CheckpointError(msg)

    def note_world(self, inputs: str) -> str:
        """Say in one line that inputs are of another twin world than the network knows, or nothing.

        Parameters
        ----------
        inputs : str
            Kind of twin world of the inputs; empty for real ones.
        """
        own = self.info.trained_world
        if not inputs or not own or inputs == own:
            return ""
        return (
            f"{self.path.name} was trained on another world. Scores of a network are those of its "
            f"own. Given inputs of {inputs!r} for a network of {own!r}. Train on days of that "
            "world, or tell both with the result."
        )

    def _refuse(self, what: str, theirs: str, own: str) -> None:
        msg = (
            f"Invalid checkpoint {self.path.name}. Its {what} must be the data's. Given {own} in "
            f"the checkpoint and {theirs} in the data. Prepare the data anew or choose another "
            "checkpoint."
        )
        raise CheckpointError(msg)


def _first_difference(theirs: InputTable, own: InputTable) -> tuple[str, str]:
    """Name what differs between two tables of inputs."""
    names, own_names = ([v.name for v in table.variables] for table in (theirs, own))
    extra = [name for name in names if name not in own_names]
    missing = [name for name in own_names if name not in names]
    if extra or missing:
        return ", ".join(extra) or "nothing more", ", ".join(missing) or "nothing more"
    if names != own_names:
        return f"the order {', '.join(names)}", f"the order {', '.join(own_names)}"
    for first, second in zip(theirs.variables, own.variables, strict=True):
        for key, value in vars(first).items():
            if value != getattr(second, key):
                return f"{first.name}.{key} = {value!r}", f"{getattr(second, key)!r}"
        if first.channels != second.channels:
            orders = [", ".join(c.name for c in v.channels) for v in (first, second)]
            return f"the order {orders[0]}", f"the order {orders[1]}"
    return "the same", "the same"


def package_versions() -> dict[str, str]:
    """Return the versions that matter for the numbers of a checkpoint."""
    packages = ("dacno2-s5p", "torch", "numpy", "safetensors")
    return {"python": platform.python_version()} | {name: version_of(name) for name in packages}


def save_checkpoint(path: Path, weights: Mapping[str, Tensor], info: CheckpointInfo) -> str:
    """Write a checkpoint, replacing an older one of the same name.

    Parameters
    ----------
    path : Path
        File to write, `.safetensors` by convention.
    weights : mapping of str to Tensor
        `state_dict` of the network to be used: the running mean of weights and batch statistics.
    info : CheckpointInfo

    Returns
    -------
    str
        Fingerprint: SHA-256 of the file.

    Raises
    ------
    CheckpointError
        If weights are not finite.
    OutputError
        If the file cannot be written.
    """
    _check_finite(path, weights)
    return write_tensors(path, weights, info.to_dict())


def read_info(path: Path) -> CheckpointInfo:
    """Read all about a checkpoint but its weights.

    Raises
    ------
    CheckpointError
        If it is not a checkpoint.
    """
    return _info(path, read_metadata(path))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    CheckpointError
        If the file is no checkpoint, damaged, of a later version, of another architecture than
        its configuration says, or has weights that are not finite.
    """
    tensors, metadata = read_tensors(path)
    info = _info(path, metadata)
    expected = {name: tuple(t.shape) for name, t in outline(path, info).state_dict().items()}
    given = {name: tuple(t.shape) for name, t in tensors.items()}
    if expected != given:
        differing = sorted(
            name for name in expected.keys() | given.keys() if expected.get(name) != given.get(name)
        )
        msg = (
            f"Invalid checkpoint {path}. Its weights must be those of its configuration. Given "
            f"{differing[0]} of shape {given.get(differing[0])} for "
            f"{expected.get(differing[0])} and {len(differing) - 1} others. "
            "Use the version of the package that wrote it."
        )
        raise CheckpointError(msg)
    _check_finite(path, tensors)
    network = Dacno2(info.network)
    network.load_state_dict(tensors)
    return Checkpoint(path, file_checksum(path), info, network.eval())


def outline(path: Path, info: CheckpointInfo) -> Dacno2:
    """Return the network of a checkpoint without weights, whatever the size it claims.

    Raises
    ------
    CheckpointError
        If its configuration describes no network.
    """
    try:
        with torch.device("meta"):
            return Dacno2(info.network)
    except CONTENT_ERRORS as error:
        raise _incomplete(path, error) from error


def _incomplete(path: Path, error: BaseException) -> CheckpointError:
    return CheckpointError(
        f"Invalid checkpoint {path}. Its metadata must be complete. Given the fault "
        f"{describe_fault(error)}. Use a checkpoint written by train."
    )


def _info(path: Path, metadata: Mapping[str, Any]) -> CheckpointInfo:
    if metadata.get("format") != FORMAT:
        msg = (
            f"Invalid checkpoint {path}. Its format must be {FORMAT}. Given "
            f"{metadata.get('format')!r}. Use the version of the package that wrote it."
        )
        raise CheckpointError(msg)
    try:
        info = CheckpointInfo.from_dict(metadata)
        Normaliser(info.inputs, info.statistics)
    except (*CONTENT_ERRORS, ConfigurationError) as error:
        raise _incomplete(path, error) from error
    return info


def _check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            msg = (
                f"Invalid checkpoint {path}. Its weights must be finite. Given NaN or infinity in "
                f"{name}. Use an earlier checkpoint of the run."
            )
            raise CheckpointError(msg)


def shipped_checkpoints(*, cams: bool = False) -> tuple[Path, ...]:
    """Return the packaged members of an ensemble, the first member first; none if none is packaged.

    Parameters
    ----------
    cams : bool
        Those that make the day's CAMS forecast finer, and not those that do without.
    """
    folder = Path(str(files("dacno2_s5p.network").joinpath("data")))
    name = "twin-cams" if cams else "twin"
    first = folder / f"{name}.safetensors"
    members = sorted(folder.glob(f"{name}-m[0-9]*.safetensors"))
    return (first, *members) if first.exists() else ()


def shipped_checkpoint(*, cams: bool = False) -> Path | None:
    """Return the first packaged member, None where none is packaged."""
    return next(iter(shipped_checkpoints(cams=cams)), None)
