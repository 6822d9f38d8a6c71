"""A recipe as one YAML file: read with every key and type checked, and written into the run's folder."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from training.recipe import Recipe, RecipeError


def _build(cls: type, values: dict[str, Any], where: str) -> Any:
    known = {item.name: item for item in fields(cls)}
    for key in values:
        if key not in known:
            near = "".join(f" Did you mean {where}{name}?" for name in get_close_matches(str(key), known, n=1))
            raise RecipeError(f"{where}{key} is not a setting; known here: {', '.join(known)}.{near}")
    kinds = get_type_hints(cls)
    built = {}
    for key, value in values.items():
        kind = kinds[key]
        if is_dataclass(kind):
            if not isinstance(value, dict):
                raise RecipeError(f"{where}{key} is {value}, but holds settings; write them below it.")
            built[key] = _build(kind, value, f"{where}{key}.")
            continue
        value = tuple(value) if isinstance(value, list) else value
        if not _is_a(value, kind):
            name = getattr(kind, "__name__", str(kind))
            hint = ""
            if kind is float and isinstance(value, str):
                hint = "; write it with a point, such as 1.0e-6, since YAML reads 1e-6 as a text"
            if kind is str and isinstance(value, bool):
                hint = "; quote it, since YAML reads a bare off as false"
            raise RecipeError(f"{where}{key} is {value!r}, but takes a value of type {name}{hint}.")
        built[key] = value
    return cls(**built)


def _is_a(value: Any, kind: Any) -> bool:
    if isinstance(kind, UnionType):
        return any(_is_a(value, one) for one in get_args(kind))
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else get_origin(kind) or kind)


def load_recipe(path: Path, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe.

    Args:
        path: the YAML file.
        overrides: `stage.key=value` settings, values in YAML, that win over the file.

    Raises:
        RecipeError: for an unknown key or a value that cannot work.
    """
    values = yaml.safe_load(path.read_text("utf-8")) or {}
    for override in overrides or []:
        key, sign, value = override.partition("=")
        if not sign:
            raise RecipeError(f"--set {override}: write it as stage.key=value.")
        target = values
        *parents, last = key.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = yaml.safe_load(value)
    return _build(Recipe, {"name": path.stem, **values}, "")


def save_recipe(recipe: Recipe, folder: Path) -> None:
    """Write the resolved recipe into a run folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(json.loads(json.dumps(asdict(recipe))), allow_unicode=True, sort_keys=False)
    (folder / "recipe.yaml").write_text(text, "utf-8")
