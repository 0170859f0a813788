"""The page of commands, made from the commands themselves: what `--help` says, as Markdown."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import click

from cli.main import COMMANDS, cli

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = "dacno2-s5p"


def command_pages() -> str:
    """Return a section for each command, in the order of the help."""
    root = click.Context(cli, info_name=PROGRAM)
    return "\n\n".join("\n\n".join(_section(name, root)) for name in COMMANDS)


def _section(name: str, root: click.Context) -> Iterator[str]:
    command = cli.get_command(root, name)
    if command is None:
        msg = f"no command {name}"
        raise LookupError(msg)
    context = click.Context(command, info_name=name, parent=root)
    yield f"## {name}"
    yield "\n".join(["```text", f"{context.command_path} {_usage(context)}", "```"])
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        yield _paragraph(paragraph)
    options = (p for p in command.get_params(context) if isinstance(p, click.Option))
    for flags, text in filter(None, (option.get_help_record(context) for option in options)):
        yield f"`{flags}`\n: {_escaped(text)}"


def _usage(context: click.Context) -> str:
    return " ".join(context.command.collect_usage_pieces(context))


def _paragraph(text: str) -> str:
    """Return what click would wrap as text, and what it would leave alone as a block."""
    if text.startswith("\b"):
        return "\n".join(["```text", inspect.cleandoc(text[1:].strip("\n")), "```"])
    return _escaped(" ".join(text.split()))


def _escaped(text: str) -> str:
    """Keep stars, bars and brackets of help texts from meaning something, but not in code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else re.sub(r"([*_<>|\[\]])", r"\\\1", p) for p in parts)
