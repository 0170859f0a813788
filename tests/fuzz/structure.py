"""Files that are whole, but say something odd of themselves: attributes, types, shapes, links.

Each damage changes a copy in place and returns what it did. Nothing odd here is beyond what
writers of such files have produced, or what a hostile one would try.
"""

from __future__ import annotations

import json
import struct
import tempfile
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np

from tests.fuzz.damage import Case

Change = Callable[[Path, np.random.Generator], str]

# fmt: off
ODD_ATTRIBUTES: tuple[Any, ...] = (
    "", "nonsense", "m s-1", "days since the flood", "hours since 2019-13-45", "%s{0}\n\t",
    "x" * 5000, -1, 0, 2**40, float("nan"), 1e300, np.float32(0.0), np.zeros(0), np.arange(3),
    np.bytes_(b"\xff\xfe"),
    np.array(["a", "b"], dtype=h5py.string_dtype()), h5py.Empty("f4"),
)
"""Values an attribute may have in a file that is wrong."""
ODD_NUMBERS: tuple[float, ...] = (np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0, -1.0, 9.96921e36)
"""Values all numbers of a variable may have."""
ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 10**30, 0.5, float("nan"), float("inf"), "", "text", "/etc/passwd",
    "../../../etc/passwd", [], [1], [[]], {}, {"a": 1}, "9999-99-99", "2019-06-01", ["x", None],
    "\x00", "é" * 300,
)
"""Values an entry of JSON may have."""
ODD_TOML: tuple[str, ...] = (
    "-1", "0", "1e400", "nan", "inf", '""', '"text"', '"../../etc/passwd"', "[]", "[1]",
    "[[1], []]",
    "{}", "{a = 1}", "true", "2019-06-01", "12:00:00", "99999999999999999999", "[nan]", '["a", 1]',
)
"""Values an entry of TOML may have."""
# fmt: on


def hdf5(path: Path, rng: np.random.Generator) -> str:
    """Change an HDF5 file in one of many ways."""
    changes = (_attribute, _attribute, _attribute, _no_attribute, _delete, _rename)
    changes += (_retype, _reshape, _values, _values, _link, _detach)
    with h5py.File(path, "r+") as file:
        return _pick(rng, changes)(file, rng)


def _pick(rng: np.random.Generator, items: Any) -> Any:
    return items[int(rng.integers(len(items)))]


def _objects(file: h5py.File, kind: Any = (h5py.Dataset, h5py.Group)) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, kind) else None)
    return names


def _dataset(file: h5py.File, rng: np.random.Generator) -> h5py.Dataset:
    return file[_pick(rng, _objects(file, h5py.Dataset))]


def _attribute(file: h5py.File, rng: np.random.Generator) -> str:
    item = file[_pick(rng, ["/", *_objects(file)])]
    names = sorted(item.attrs)
    name = _pick(rng, names) if names else "units"
    value = _pick(rng, ODD_ATTRIBUTES)
    if name in item.attrs:
        del item.attrs[name]
    item.attrs[name] = value
    return f"{item.name}@{name} = {str(value)[:40]!r}"


def _no_attribute(file: h5py.File, rng: np.random.Generator) -> str:
    item = file[_pick(rng, ["/", *_objects(file)])]
    names = sorted(item.attrs)
    if not names:
        return f"{item.name} has no attribute to lose"
    name = _pick(rng, names)
    del item.attrs[name]
    return f"{item.name}@{name} removed"


def _delete(file: h5py.File, rng: np.random.Generator) -> str:
    name = _pick(rng, _objects(file))
    del file[name]
    return f"{name} removed"


def _rename(file: h5py.File, rng: np.random.Generator) -> str:
    name = _pick(rng, _objects(file))
    target = _pick(rng, ("odd", "new/odd", f"{name}_2", "a b", "é", "x" * 300))
    file.move(name, target)
    return f"{name} renamed to {target[:20]}"


def _replace(file: h5py.File, old: h5py.Dataset, values: Any) -> None:
    """Put other values under the name of a dataset, attributes and scales kept where they fit."""
    name = old.name
    attributes = {
        k: v for k, v in old.attrs.items() if k not in ("DIMENSION_LIST", "CLASS", "NAME")
    }
    scales = [dim[0] if len(dim) else None for dim in old.dims]
    is_scale = old.is_scale
    label = old.attrs.get("NAME", b"")
    for other in [file[n] for n in _objects(file, h5py.Dataset)] if is_scale else ():
        for dim in other.dims:
            if any(scale == old for scale in dim.values()):
                dim.detach_scale(old)
    attributes.pop("REFERENCE_LIST", None)
    del file[name]
    new = file.create_dataset(name, data=values)
    for key, value in attributes.items():
        new.attrs[key] = value
    for axis, scale in enumerate(scales[: new.ndim]):
        if scale is not None:
            new.dims[axis].attach_scale(scale)
    if is_scale:
        new.make_scale(label.decode() if isinstance(label, bytes) else str(label))


def _retype(file: h5py.File, rng: np.random.Generator) -> str:
    old = _dataset(file, rng)
    kind = _pick(rng, ("i2", "i8", "u1", "f8", "f2", "S4", "c16", "?", ">f4", "text", "compound"))
    plain = np.zeros(old.shape) if old.dtype.kind not in "iuf" else old[()]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "text":
            values = np.full(old.shape, "text", dtype=h5py.string_dtype())
        elif kind == "compound":
            values = np.zeros(old.shape, dtype=[("a", "f4"), ("b", "i4")])
        else:
            values = np.asarray(plain).astype(kind)
    name = old.name
    _replace(file, old, values)
    return f"{name} as {kind}"


def _reshape(file: h5py.File, rng: np.random.Generator) -> str:
    old = _dataset(file, rng)
    name, shape, values = old.name, old.shape, old[()]
    way = _pick(rng, ("flat", "first", "empty", "scalar", "more", "shorter", "turned"))
    if way == "flat":
        values = np.ravel(values)
    elif way == "first" and shape:
        values = values[0]
    elif way == "empty":
        values = np.zeros((0, *shape[1:]), values.dtype)
    elif way == "scalar":
        values = np.ravel(values)[0] if np.size(values) else np.zeros((), old.dtype)
    elif way == "more":
        values = np.asarray(values)[..., None]
    elif way == "shorter" and shape:
        values = values[..., :-1] if shape[-1] > 1 else values
    else:
        values = np.asarray(values).T
    _replace(file, old, values)
    return f"{name} {shape} made {way}"


def _values(file: h5py.File, rng: np.random.Generator) -> str:
    numbers = [n for n in _objects(file, h5py.Dataset) if file[n].dtype.kind in "iuf"]
    old = file[_pick(rng, numbers)]
    way = _pick(rng, ("all", "one", "reversed", "shuffled", "same"))
    values = np.array(old[()])
    flat = values.reshape(-1)
    if flat.size == 0:
        return f"{old.name} is empty"
    number = _pick(rng, ODD_NUMBERS)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        odd = np.array([number]).astype(values.dtype)[0]
    if way == "all":
        flat[:] = odd
    elif way == "one":
        flat[int(rng.integers(flat.size))] = odd
    elif way == "reversed":
        flat[:] = flat[::-1].copy()
    elif way == "shuffled":
        rng.shuffle(flat)
    else:
        flat[:] = flat[0]
    old[()] = values
    return f"{old.name} {way} ({odd})"


def _link(file: h5py.File, rng: np.random.Generator) -> str:
    name = _pick(rng, _objects(file))
    way = _pick(rng, ("external", "virtual", "raw", "soft", "broken", "itself", "circle", "twice"))
    item = file[name]
    shape = item.shape if isinstance(item, h5py.Dataset) else (1,)
    other = _dataset(file, rng).name
    if way == "circle":
        file[f"{file[name].parent.name.rstrip('/')}/again"] = file["/"]
        return f"a circle beside {name}"
    if way == "twice":
        file["twice"] = item
        return f"{name} linked twice"
    del file[name]
    if way == "external":
        file[name] = h5py.ExternalLink("/etc/passwd", "/")
    elif way == "virtual":
        layout = h5py.VirtualLayout(shape=shape, dtype="f4")
        layout[...] = h5py.VirtualSource("../elsewhere.h5", "x", shape=shape)
        file.create_virtual_dataset(name, layout)
    elif way == "raw":
        size = max(1, int(np.prod(shape)))
        file.create_dataset(name, shape, "u1", external=[("/etc/passwd", 0, size)])
    elif way == "soft":
        file[name] = h5py.SoftLink(other)
    else:
        file[name] = h5py.SoftLink(f"/{name}" if way == "itself" else "/nowhere")
    return f"{name} made a link: {way}"


def _detach(file: h5py.File, rng: np.random.Generator) -> str:
    with_scales = [n for n in _objects(file, h5py.Dataset) if any(len(d) for d in file[n].dims)]
    if not with_scales:
        return "no dimension to detach"
    item = file[_pick(rng, with_scales)]
    for dim in item.dims:
        for scale in dim.values():
            dim.detach_scale(scale)
    return f"{item.name} without dimensions"


def netcdf3(path: Path, rng: np.random.Generator) -> str:
    """Rewrite a classic file with one odd thing in it."""
    way = _pick(rng, ("attribute", "attribute", "gone", "name", "values", "type", "dimension"))
    said = ""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.nc"
        with netCDF4.Dataset(path) as old, netCDF4.Dataset(copy, "w", format=old.data_model) as new:
            old.set_auto_maskandscale(False)
            chosen = _pick(rng, sorted(old.variables))
            said = f"{chosen}: {way}"
            for name, dimension in old.dimensions.items():
                new.createDimension(name, len(dimension))
            new.setncatts({name: old.getncattr(name) for name in old.ncattrs()})
            for name, variable in old.variables.items():
                if name != chosen:
                    _put(new, name, variable.dimensions, variable[...], variable.__dict__)
                elif way != "gone":
                    said += _put_odd(new, name, variable, way, rng)
        path.write_bytes(copy.read_bytes())
    return said


def _put(
    file: netCDF4.Dataset, name: str, dims: tuple[str, ...], values: Any, attributes: dict[str, Any]
) -> None:
    attributes = dict(attributes)
    fill = attributes.pop("_FillValue", None)
    values = np.asarray(values)
    if fill is not None and np.asarray(fill).dtype != values.dtype:
        fill = None
    variable = file.createVariable(name, values.dtype, dims, fill_value=fill)
    variable.set_auto_maskandscale(False)
    variable.setncatts(attributes)
    variable[...] = values


def _put_odd(file: netCDF4.Dataset, name: str, old: Any, way: str, rng: np.random.Generator) -> str:
    values, attributes, dims = np.array(old[...]), dict(old.__dict__), old.dimensions
    said = ""
    if way == "attribute":
        key = _pick(rng, sorted(attributes)) if attributes else "units"
        plain = [v for v in ODD_ATTRIBUTES if isinstance(v, str | int | float) and v != 2**40]
        attributes[key] = _pick(rng, plain)
        said = f" {key} = {str(attributes[key])[:30]!r}"
    elif way == "name":
        name = "odd"
    elif way == "values":
        flat = values.reshape(-1)
        number = _pick(rng, ODD_NUMBERS)
        part = slice(None) if rng.random() < 0.5 else slice(0, 1)
        with np.errstate(all="ignore"):
            flat[part] = np.array([number]).astype(values.dtype)
        said = f" {number}"
    elif way == "type":
        with np.errstate(all="ignore"):
            values = values.astype(_pick(rng, ("i1", "i2", "i4", "f8")))
        said = f" {values.dtype}"
    else:
        dims = dims[::-1]
        values = values.T
    _put(file, name, dims, values, attributes)
    return said


def text_json(path: Path, rng: np.random.Generator) -> str:
    """Put an odd value into a JSON file."""
    tree = json.loads(path.read_text())
    said = _change_tree(tree, rng)
    path.write_text(json.dumps(tree))
    return said


def _change_tree(tree: Any, rng: np.random.Generator) -> str:
    """Change, remove or add one entry at a random place of a tree of lists and dictionaries."""
    node, way = tree, []
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return "nothing to change"
        key = _pick(rng, keys)
        way.append(str(key))
        child = node[key]
        if isinstance(child, dict | list) and child and rng.random() < 0.75:
            node = child
            continue
        place = ".".join(way)
        if rng.random() < 0.2:
            del node[key]
            return f"{place} removed"
        node[key] = _pick(rng, ODD_VALUES)
        return f"{place} = {str(node[key])[:30]!r}"


def text_toml(path: Path, rng: np.random.Generator) -> str:
    """Change a line of a TOML file."""
    lines = path.read_text().splitlines()
    entries = [i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")]
    i = _pick(rng, entries)
    way = _pick(rng, ("value", "value", "value", "key", "gone", "twice"))
    if way == "value" and "=" in lines[i]:
        lines[i] = f"{lines[i].split('=')[0]}= {_pick(rng, ODD_TOML)}"
    elif way == "key":
        lines[i] = f"odd_{lines[i]}"
    elif way == "gone":
        del lines[i]
    else:
        lines.insert(i, lines[i])
    path.write_text("\n".join(lines) + "\n")
    return f"line {i + 1} {way}: {lines[min(i, len(lines) - 1)][:60]}"


def safetensors(path: Path, rng: np.random.Generator) -> str:
    """Change the header of a safetensors file: what it says of tensors, or the metadata."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    (key,) = header.get("__metadata__", {"": ""})
    if key and rng.random() < 0.7:
        tree = json.loads(header["__metadata__"][key])
        said = _change_tree(tree, rng)
        if "metadata_sha256" in tree:  # a writer that signs what it writes wrong
            plain = {k: v for k, v in tree.items() if k != "metadata_sha256"}
            tree["metadata_sha256"] = sha256(json.dumps(plain).encode()).hexdigest()
        header["__metadata__"][key] = json.dumps(tree)
    else:
        said = _change_tree(header, rng)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])
    return said


def odd_copies(
    path: Path, folder: Path, change: Change, count: int, seed: int = 0, first: int = 0
) -> list[Case]:
    """Write copies of a file, each with one odd thing, in numbered folders."""
    cases = []
    for number in range(first, first + count):
        copy = folder / str(number) / path.name
        copy.parent.mkdir(parents=True)
        copy.write_bytes(path.read_bytes())
        text = change(copy, np.random.default_rng([seed, number]))
        cases.append(Case(str(copy), f"{number}: {text}"))
    return cases
