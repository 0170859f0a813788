"""Try an installed package as a user would: `python tools/check_installed.py`, anywhere but here.

The sample orbit is re-retrieved with the sample model, gridded and mapped by the commands of the
environment; then every file that the package should bring is looked for. Ends at the first fault.
"""

import subprocess
import sys
import tempfile
from importlib.metadata import distribution, version
from pathlib import Path

import retrieval as rt

LIMIT = 600e6
"""What the package and all it depends on may take without torch, pip not counted [bytes]."""

COMMANDS = (
    "dacno2-s5p --version",
    "dacno2-s5p inspect {orbit}",
    "dacno2-s5p reretrieve {orbit} -a mymodel={model} -o new.nc",
    "dacno2-s5p grid new.nc -o grid.nc --cell 4km",
    "dacno2-s5p maps grid.nc -o maps",
)
"""The main job, in the order of a first hour."""

DATA = (
    "cli/reporting/data/page.html.j2",
    "dacno2_s5p/inputs/data/inputs.toml",
    "dacno2_s5p/network/data/twin-cams.safetensors",
    "dacno2_s5p/twin/data/settlements.npz",
    "retrieval/maps/data/coastlines_europe.npz",
    "retrieval/simulate/light/data/box_amf_437nm.nc",
    "retrieval/py.typed",
)
"""Files that are no code, one for each place where the package keeps some."""


def main() -> None:
    """Run the commands in an empty folder, look for the data, add up what is installed."""
    files = {str(file) for file in distribution("dacno2-s5p").files or ()}
    if missing := [name for name in DATA if name not in files]:
        sys.exit(f"The wheel lacks {missing}.")
    with tempfile.TemporaryDirectory() as folder:
        for line in COMMANDS:
            words = line.format(orbit=rt.sample("orbit"), model=rt.sample("model")).split()
            print("$", line)
            subprocess.run(words, check=True, cwd=folder)
        if not list(Path(folder).glob("maps/**/*.png")):
            sys.exit("maps drew nothing.")
    site = Path(rt.__file__).parents[1]
    own = [folder for folder in site.iterdir() if not folder.name.startswith(("pip", "setuptools"))]
    size = sum(f.stat().st_size for folder in own for f in folder.rglob("*") if f.is_file())
    print(f"dacno2-s5p {version('dacno2-s5p')} and what it needs: {size / 1e6:.0f} MB")
    if size > LIMIT:
        sys.exit(f"That is more than {LIMIT / 1e6:.0f} MB.")


if __name__ == "__main__":
    main()
