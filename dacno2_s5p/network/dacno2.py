"""The network as a whole: groups of inputs to scaled NO2 on the heights.

Two forms. `paper` has inception ConvLSTMs, fusion and 3-D decoder at every grid from 16 to 2 km, as
published. `lean` has them at 16 and 8 km, where weather has something to say; at 4 and 2 km the
levels are channels of 2-D blocks that join the static branches, and what goes down to coarser
grids is averaged. Either may multiply a first guess (`first_guess`) and see it.

Every width is ours (the authors' are not published); sizes and costs: docs/decisions.md.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor, nn

from dacno2_s5p.inputs.grid import CAMS_FACTOR
from dacno2_s5p.inputs.samples import OPTIONAL_GROUPS
from dacno2_s5p.network.blend import Blend
from dacno2_s5p.network.convlstm import Gates, Upsampling
from dacno2_s5p.network.decoder import Decoder, Head, TemporalEmbedding
from dacno2_s5p.network.encoders import StaticEncoder, WeatherEncoder
from dacno2_s5p.network.first_guess import FirstGuess
from dacno2_s5p.network.fusion import Fusion, StageWidths
from dacno2_s5p.network.lean import FineStages, relief

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dacno2_s5p.inputs.normalisation import TargetScaling
    from dacno2_s5p.inputs.samples import Inputs


Form = Literal["paper", "lean"]
"""As published, or with ConvLSTMs and levels apart at 16 and 8 km only."""

Forecast = Literal["guess", "output"]
"""Where the CAMS forecast joins: as first guess and input, or the network's own output alone."""

WIDTHS = ("single_widths", "multi_widths", "static_widths", "decoder_widths", "fine_widths")
"""Attributes that are widths of stages."""


@dataclass(frozen=True)
class NetworkConfig:
    """Everything that fixes the architecture; widths are per stage, coarse first.

    Attributes
    ----------
    temporal, emission, geography, single, multi : int
        Channels of the input groups.
    transport, cams : int
        Channels of the optional groups, 0 without: 4 carried maps; 1, the day's CAMS forecast at
        all heights. With either, the output is a factor on a first guess.
    forecast : {"guess", "output"}
        Where the forecast joins, if there is one: in the first guess, which the network sees, or
        after the network, which then does not see it (`blend`).
    heights : tuple of float
        Of the output [m]; needed for a first guess only.
    form : {"paper", "lean"}
    fine_widths : tuple of int
        With `lean`, channels of the blocks at the finest grids, coarse first; the static branches
        have as many stages more than the others.
    relief : int
        With 1 the geography branch also sees slope and height above the 16 km mean, of its
        first channel, the elevation.
    n_level : int
        Heights of the output and of the multi-level inputs.
    n_single : int
        Lowest layers that single-level features are placed in.
    single_widths, multi_widths : tuple of int
        State channels of the ConvLSTM-2D and ConvLSTM-3D; even.
    static_widths : tuple of int
        Channels of the emission and geography branches; at least 5 (one for each branch).
    decoder_widths : tuple of int
        Channels of fusion and decoder; multiples of 4.
    temporal_width : int
        Hidden units of the temporal embedding.
    gates : {"input", "both"}
        Inception module on the ConvLSTM's input, or on input and state (three times slower).
    upsampling : {"nearest", "coarse", "bilinear", "state"}
        Gates from the upsampled input, or on the coarse grid with a sub-pixel projection, or on
        the coarse grid and then interpolated, as is all else that is made finer: the fields
        carry no texture of the coarse cells. `state` interpolates the states and not the gates.
    dropout : float
        Dropout of every inception module, 0 <= dropout < 1.

    Raises
    ------
    ValueError
        If the numbers do not describe a network.

    Examples
    --------
    >>> NetworkConfig.of_size("small").n_stage
    4
    >>> NetworkConfig.of_size("small").step_multiple
    8
    """

    temporal: int = 3
    emission: int = 12
    geography: int = 6
    single: int = 13
    multi: int = 9
    transport: int = 0
    cams: int = 0
    forecast: Forecast = "guess"
    heights: tuple[float, ...] = ()
    form: Form = "paper"
    fine_widths: tuple[int, ...] = ()
    relief: int = 0
    n_level: int = 8
    n_single: int = 5
    single_widths: tuple[int, ...] = (32, 16, 12, 8)
    multi_widths: tuple[int, ...] = (32, 16, 12, 8)
    static_widths: tuple[int, ...] = (32, 24, 16, 12)
    decoder_widths: tuple[int, ...] = (64, 32, 24, 16)
    temporal_width: int = 32
    gates: Gates = "input"
    upsampling: Upsampling = "nearest"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "heights", tuple(float(height) for height in self.heights))
        for name in WIDTHS:
            object.__setattr__(self, name, tuple(int(width) for width in getattr(self, name)))
        for name, rule, holds in self._rules():
            if not holds:
                msg = (
                    f"Invalid network. {name} must be {rule}. Given {getattr(self, name)!r}. "
                    "Change the network section of the recipe."
                )
                raise ValueError(msg)

    def _rules(self) -> list[tuple[str, str, bool]]:
        """List (attribute, rule in words, whether it holds)."""
        counts = ("temporal", "emission", "geography", "single", "multi", "temporal_width")
        rules = [(name, "at least 1", getattr(self, name) >= 1) for name in counts]
        for name, least, multiple in (
            ("single_widths", 2, 2),
            ("multi_widths", 2, 2),
            ("static_widths", 5, 1),
            ("decoder_widths", 4, 4),
        ):
            widths = getattr(self, name)
            fits = all(width >= least and width % multiple == 0 for width in widths)
            of_multiple = f", multiples of {multiple}" if multiple > 1 else ""
            rules.append((name, f"widths of at least {least}{of_multiple}", fits))
            n_fine = len(self.fine_widths) if name == "static_widths" else 0
            same = len(widths) == len(self.decoder_widths) + n_fine >= 1
            rules.append((name, "one width for each stage, as decoder_widths", same))
        rules += [
            ("n_level", "at least 1", self.n_level >= 1),
            ("n_single", "between 1 and n_level", 1 <= self.n_single <= self.n_level),
            ("gates", f"one of {get_args(Gates)}", self.gates in get_args(Gates)),
            (
                "upsampling",
                f"one of {get_args(Upsampling)}",
                self.upsampling in get_args(Upsampling),
            ),
            (
                "upsampling",
                "nearest where gates is 'both' (the state is on the fine grid)",
                self.gates == "input" or self.upsampling == "nearest",
            ),
            ("dropout", "at least 0 and below 1", 0.0 <= self.dropout < 1.0),
            ("form", f"one of {get_args(Form)}", self.form in get_args(Form)),
            (
                "fine_widths",
                "positive widths where form is 'lean', and none in the other",
                bool(self.fine_widths) == (self.form == "lean") and min((1, *self.fine_widths)) > 0,
            ),
            ("transport", "0 or the 4 maps", self.transport in (0, 4)),
            ("cams", "0 or 1", self.cams in (0, 1)),
            (
                "forecast",
                f"one of {get_args(Forecast)}, and 'guess' without cams",
                self.forecast in get_args(Forecast)[: 1 + self.cams],
            ),
            ("relief", "0 or 1", self.relief in (0, 1)),
            (
                "heights",
                "one for each level, or none in a recipe: the data give them",
                len(self.heights) in (0, self.n_level),
            ),
        ]
        return rules

    @property
    def n_stage(self) -> int:
        """Number of grids between weather and output."""
        return len(self.static_widths)

    @property
    def refinement(self) -> int:
        """Fine cells along a coarse cell: 8 with four stages (16 km to 2 km)."""
        return 1 << (self.n_stage - 1)

    @property
    def step_multiple(self) -> int:
        """The number of weather steps must be a multiple of this: time is halved by stages."""
        return 1 << (len(self.single_widths) - 1)

    @property
    def cell_multiple(self) -> int:
        """Sides of a patch must be multiples of this: the coarsest grid is still pooled by 2."""
        return 2 * self.refinement

    @property
    def has_guess(self) -> bool:
        """Whether the output is a factor on a first guess."""
        return bool(self.transport or self.guesses_forecast)

    @property
    def guesses_forecast(self) -> bool:
        """Whether the forecast is part of the first guess."""
        return bool(self.cams) and self.forecast == "guess"

    @property
    def n_guess(self) -> int:
        """Maps of the first guess that the network sees."""
        return FirstGuess.n_map(
            self.n_level, transport=bool(self.transport), cams=self.guesses_forecast
        )

    @property
    def groups(self) -> tuple[str, ...]:
        """The optional groups of inputs that it has."""
        return tuple(name for name in OPTIONAL_GROUPS if getattr(self, name))

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, lists and words, for JSON and TOML."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> NetworkConfig:
        """Build from plain values; `size` names widths to start from.

        Raises
        ------
        ValueError
            If a key is unknown or the numbers do not describe a network.
        """
        given = dict(values)
        base = cls.of_size(given.pop("size")) if "size" in given else cls()
        unknown = sorted(set(given) - {field.name for field in fields(cls)})
        if unknown:
            msg = (
                f"Invalid network. Its keys must be those of NetworkConfig. Given {unknown}. "
                "Remove or rename them."
            )
            raise ValueError(msg)
        return replace(base, **given)

    @classmethod
    def of_size(cls, size: str, **changes: Any) -> NetworkConfig:
        """Return a named size (tiny, small, medium, full), with changes.

        Raises
        ------
        ValueError
            If there is no such size.
        """
        if size not in SIZES:
            msg = (
                f"Invalid network size. It must be one of {', '.join(SIZES)}. Given {size!r}. "
                "Choose one, or give the widths."
            )
            raise ValueError(msg)
        return cls(**{**SIZES[size], **changes})


SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "single_widths": (16, 8, 8, 4),
        "multi_widths": (12, 8, 8, 4),
        "static_widths": (16, 12, 8, 8),
        "decoder_widths": (32, 16, 12, 8),
    },
    "small": {},
    "lean": {
        "form": "lean",
        "single_widths": (12, 8),
        "multi_widths": (16, 8),
        "static_widths": (32, 24, 16, 12),
        "decoder_widths": (32, 16),
        "fine_widths": (48, 32),
        "upsampling": "state",
        "relief": 1,
    },
    "medium": {
        "single_widths": (64, 32, 24, 16),
        "multi_widths": (64, 32, 24, 16),
        "static_widths": (64, 48, 32, 24),
        "decoder_widths": (128, 64, 48, 32),
    },
    "full": {
        "single_widths": (128, 64, 48, 32),
        "multi_widths": (128, 64, 48, 32),
        "static_widths": (128, 96, 64, 48),
        "decoder_widths": (256, 128, 96, 64),
    },
}
"""Named sizes: 0.1, 0.4, 1.4 and 5.5 million parameters (the authors' size is unknown); `lean`
has 0.2."""


class Dacno2(nn.Module):
    """The five-branch encoder-decoder.

    Parameters
    ----------
    config : NetworkConfig
        Widths and options.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        options: dict[str, Any] = {
            "gates": config.gates,
            "upsampling": config.upsampling,
            "dropout": config.dropout,
        }
        self.single = WeatherEncoder(config.single, config.single_widths, **options)
        self.multi = WeatherEncoder(
            config.multi, config.multi_widths, n_level=config.n_level, **options
        )
        smooth = config.upsampling in ("bilinear", "state")
        is_lean = config.form == "lean"
        self.emission, self.geography = (
            StaticEncoder(
                n,
                config.static_widths,
                config.dropout,
                smooth=smooth,
                n_plain=len(config.fine_widths),
                average=is_lean,
            )
            for n in (config.emission + config.n_guess, config.geography + 2 * config.relief)
        )
        self.fusions = nn.ModuleList(
            Fusion(
                StageWidths(*widths),
                n_level=config.n_level,
                n_single=config.n_single,
                dropout=config.dropout,
                smooth=smooth,
            )
            for widths in zip(
                config.static_widths[: len(config.decoder_widths)],
                config.single_widths,
                config.multi_widths,
                config.decoder_widths,
                strict=True,
            )
        )
        self.temporal = TemporalEmbedding(
            config.temporal, config.temporal_width, config.decoder_widths[0]
        )
        self.decoder = Decoder(
            config.decoder_widths,
            n_level=config.n_level,
            dropout=config.dropout,
            smooth=smooth,
        )
        if is_lean:
            static = config.static_widths[len(config.decoder_widths) :]
            before = config.n_level * config.decoder_widths[-1]
            self.fine = FineStages(before, config.fine_widths, static)
        last, n_out = (
            (config.fine_widths[-1], config.n_level) if is_lean else (config.decoder_widths[-1], 1)
        )
        self.head = Head(last, n_out, positive=not config.has_guess)
        if config.has_guess:
            self.guess = FirstGuess(
                config.heights, transport=bool(config.transport), cams=config.guesses_forecast
            )
            self.head.start_small()
        if config.forecast == "output":
            self.blend = Blend(config.n_level)

    def set_scaling(self, scaling: TargetScaling) -> None:
        """Take over the units of the output, for what is made in them: guess and forecast."""
        for part in ("guess", "blend"):
            if hasattr(self, part):
                getattr(self, part).set_scaling(scaling)

    def forward(self, inputs: Inputs) -> Tensor:
        """Predict scaled NO2.

        Parameters
        ----------
        inputs : Inputs
            A batch of normalised inputs.

        Returns
        -------
        Tensor, shape (B, n_level, H, W)
            NO2 divided by the layer ratios and the target scale [1], surface first, positive.
            `TargetScaling.unscale` turns it into micrograms per cubic metre.

        Raises
        ------
        ValueError
            If a group's shape is not what the configuration says.
        """
        return self.factored(inputs)[0]

    def factored(self, inputs: Inputs) -> tuple[Tensor, Tensor | None]:
        """Predict as `forward`, and say the logarithm of the factor on the guess, if there is one.

        Returns
        -------
        prediction : Tensor, shape (B, n_level, H, W)
        logarithm : Tensor, shape (B, n_level, H, W), or None
        """
        check_inputs(inputs, self.config)
        emission, geography, guess = inputs.emission, inputs.geography, None
        if self.config.relief:
            geography = torch.cat([geography, relief(geography[:, :1])], dim=1)
        if self.config.has_guess:
            # digits of a concentration that bfloat16 does not have
            with torch.autocast(emission.device.type, enabled=False):
                guess, maps = self.guess(inputs)
            emission = torch.cat([emission, maps], dim=1)
        y, logarithm = self._decoded(inputs, emission, geography), None
        if guess is not None:
            logarithm = self.guess.factor(y)
            y = guess * torch.exp(logarithm)
        if self.config.forecast == "output" and inputs.cams is not None:
            with torch.autocast(y.device.type, enabled=False):
                y = self.blend(y, inputs.cams)
        return y, logarithm

    def _decoded(self, inputs: Inputs, emission: Tensor, geography: Tensor) -> Tensor:
        """Run branches, fusion, decoder and head."""
        emitted, places = self.emission(emission), self.geography(geography)
        n_fused = len(self.fusions)
        stages = zip(
            self.fusions,
            emitted[:n_fused],
            places[:n_fused],
            self.single(inputs.single.unsqueeze(3)),
            self.multi(inputs.multi),
            strict=True,
        )
        fused = [fusion(*branches) for fusion, *branches in stages]
        temporal = self.temporal(inputs.temporal, self.config.n_level)
        x = self.decoder(fused, temporal)
        if self.config.form == "lean":
            static = zip(emitted[n_fused:], places[n_fused:], strict=True)
            x = self.fine(x, self.config.n_level, [torch.cat(pair, dim=1) for pair in static])
        predicted: Tensor = self.head(x, self.config.n_level)
        return predicted


def check_inputs(inputs: Inputs, config: NetworkConfig) -> None:
    """Refuse a batch whose shapes are not those of the configuration, naming the group."""
    n_batch, _, height, width = inputs.emission.shape
    n_step = inputs.single.shape[1]
    coarse = (height // config.refinement, width // config.refinement)
    if height % config.cell_multiple or width % config.cell_multiple:
        msg = (
            f"Invalid patch. Its sides must be multiples of {config.cell_multiple} cells. Given "
            f"{height} x {width}. Choose another patch or crop size."
        )
        raise ValueError(msg)
    if n_step % config.step_multiple:
        msg = (
            f"Invalid weather. The number of steps must be a multiple of {config.step_multiple}. "
            f"Given {n_step}. Choose 8, 16 or 24 steps a day."
        )
        raise ValueError(msg)
    expected = {
        "temporal": (n_batch, config.temporal),
        "emission": (n_batch, config.emission, height, width),
        "geography": (n_batch, config.geography, height, width),
        "single": (n_batch, n_step, config.single, *coarse),
        "multi": (n_batch, n_step, config.multi, config.n_level, *coarse),
    }
    cells = (height // CAMS_FACTOR, width // CAMS_FACTOR)
    optional = {
        "transport": (n_batch, config.transport, height, width),
        "cams": (n_batch, config.n_level, *cells),
    }
    expected.update({group: optional[group] for group in config.groups})
    for group, shape in expected.items():
        given = tuple(inputs.groups[group].shape) if group in inputs.groups else ()
        if given != shape:
            msg = (
                f"Invalid inputs. The group {group} must have shape {shape}. Given {given}. "
                "Check the table of inputs against the network."
            )
            raise ValueError(msg)


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters())
