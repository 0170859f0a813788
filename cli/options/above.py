"""What stands above the sets of `reretrieve`: asked for, or decided once a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import note
from cli.options.shared import existing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from retrieval.substitution.job import Job

ABOVE_VMR = 30.0
"""Mole fraction of `constant-vmr` [ppt]."""

UPPER_FOLDERS = ("ctm", "cams-global")
"""Folders of the workspace with global models that reach the tropopause, the preferred first."""


def chosen_above(given: dict[str, Any], orbits: Sequence[Path]) -> tuple[str, Path | None, str]:
    """Return the mode above the sets, the upper set, and why where that was left to us."""
    above, upper = given["above"], existing(given["upper"], "--upper")
    has_vmr = given["above_vmr"] is not None
    if upper is not None and (above not in ("auto", "upper") or has_vmr):
        other = f"--above {above}" if above not in ("auto", "upper") else "--above-vmr"
        msg = f"--upper is for --above upper. Given {other}. Leave one of them out."
        raise click.UsageError(msg)
    folders = [given["workspace"] / name for name in UPPER_FOLDERS]
    if upper is None and above == "upper":
        upper = next((folder for folder in folders if folder.exists()), None)
        if upper is None:
            msg = (
                f"--above upper needs a global set. {folders[0]} does not exist. Give --upper PATH."
            )
            raise click.UsageError(msg)
    if upper is not None:
        return "upper", upper, ""
    if above != "auto" or has_vmr:
        return ("constant-vmr" if above == "auto" else above), None, ""
    from retrieval.substitution.above import decide_above

    decision = decide_above(orbits, folders)
    return str(decision.above), decision.upper, f"auto: {decision.said}"


def say_above(job: Job | None) -> None:
    """Say what stands above the sets, where that was decided, and how much it can matter."""
    if job is None:
        return
    if job.decided and job.upper is not None:
        note(f"above the sets: {job.upper} ({job.decided})")
    elif job.decided:
        note(
            f"above the sets: {ABOVE_VMR:g} ppt for all ({job.decided}). Against a global model "
            "this raised mean columns by 5 % where the truth is known (docs/evidence.md). Give "
            "--upper PATH, or dacno2-s5p fetch ctm."
        )
