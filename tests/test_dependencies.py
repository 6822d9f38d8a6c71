"""The dependency rule of the design, read from the source of every module, and two fresh interpreters."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.chain import TAGS

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("app", "storage", "training")
TRAINING_ONLY = {"torch", "transformers", "trl", "peft", "sentence_transformers", "accelerate", "datasets", "training"}

# Asked for only where somebody uses it; who has it not is told what to install.
OPTIONAL = {"pyarrow"}

# Fixed by the users of this project, or plugins of what is imported.
NOT_IMPORTED = {"huggingface-hub", "peft", "accelerate", "ruff", "mypy"}
DISTRIBUTION = {
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "llama_cpp": "llama-cpp-python",
    "starlette": "fastapi",
    "pydantic": "pydantic-settings",
}

MAY_IMPORT = {
    # Module or package, and what of ours it may import beside itself; the longest prefix counts.
    "app.chain": {},
    "app.errors": {},
    "app.settings": {},
    "app.intake": {"app.chain", "app.errors"},
    "app.catalog": {"app.errors"},
    "app.engine": {"app.chain", "app.errors"},
    "app.safety": {"app.chain", "app.errors"},
    "app.scoring": {"app.catalog", "app.chain", "app.engine", "app.errors"},
    "app.sentences": {"app.safety"},
    "app.evidence": {"app.safety", "app.sentences"},
    "app.score_reasons": {"app.safety", "app.scoring", "app.sentences"},
    "storage": {"app.chain"},
    "training": {"app.chain", "app.safety"},
    "app.web.words": {"app.chain", "app.errors"},
}
USE_CASES_MAY_NOT = {"app.web", "app.settings", "app.__main__", "app.bench", "app.doctor", "app.models"}


def modules() -> Iterator[tuple[str, ast.Module, Path]]:
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(path.read_text(encoding="utf-8"), str(path)), path


def imports(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def ours(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] in PACKAGES}


SOURCES = list(modules())
by_name = pytest.mark.parametrize(("name", "tree"), [pytest.param(n, t, id=n) for n, t, _ in SOURCES])


@by_name
def test_module_imports_only_what_lies_below_it(name: str, tree: ast.Module) -> None:
    names = imports(tree)
    if not within(name, "training"):
        assert not {imported for imported in names if imported.split(".")[0] in TRAINING_ONLY}
    if not within(name, "app.web"):
        assert not {imported for imported in names if imported.split(".")[0] in {"gradio", "gradio_client"}}
    if not within(name, "storage"):
        assert not {imported for imported in names if imported.split(".")[0] in {"sqlalchemy", "alembic"}}
    rules = [rule for rule in MAY_IMPORT if within(name, rule)]
    if rules:
        rule = max(rules, key=len)
        allowed = {rule, *MAY_IMPORT[rule]}
        assert not {i for i in ours(names) if not any(within(i, a) for a in allowed)}
    elif re.fullmatch(
        r"app\.(drafting|composing|writing|progress|script|segments|fair_queue|reviewing|revising|people|curating|ranking(\..*)?)",
        name,
    ):
        assert not {i for i in ours(names) if any(within(i, forbidden) for forbidden in USE_CASES_MAY_NOT)}


@by_name
def test_tags_are_spelled_in_the_format_alone(name: str, tree: ast.Module) -> None:
    if within(name, "app.chain"):
        return
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert not [(tag, text) for text in texts for tag in TAGS if tag in text]


@by_name
def test_only_the_command_lines_print(name: str, tree: ast.Module) -> None:
    if name in ("app.__main__", "training.__main__"):
        return
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not [call.lineno for call in calls if isinstance(call, ast.Name) and call.id == "print"]


@pytest.mark.parametrize(("extras", "packages"), [(("app",), ("app", "storage")), (("app", "train"), PACKAGES)])
def test_what_is_imported_is_declared(extras: tuple[str, ...], packages: tuple[str, ...]) -> None:
    declared = declarations(extras)
    for name, tree, _ in SOURCES:
        if name.split(".")[0] in packages:
            assert third_party(tree) - OPTIONAL <= declared, name


def test_what_is_declared_is_imported() -> None:
    used = {name for path in (ROOT / "tests").rglob("*.py") for name in third_party(ast.parse(path.read_text("utf-8")))}
    used |= {name for _, tree, _ in SOURCES for name in third_party(tree)}
    assert declarations(("app", "train", "test")) <= used | NOT_IMPORTED


def third_party(tree: ast.Module) -> set[str]:
    roots = {name.split(".")[0] for name in imports(tree)} - set(sys.stdlib_module_names)
    return {DISTRIBUTION.get(root, root.replace("_", "-")) for root in roots - {*PACKAGES, "tests", "launch"}}


def declarations(extras: tuple[str, ...]) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {requirement for extra in extras for requirement in project["optional-dependencies"][extra]}


@pytest.mark.parametrize("module", ["app.web", "app.web.server", "app.__main__", "app.drafting", "storage.store"])
def test_the_desk_loads_nothing_of_training(module: str) -> None:
    loaded = loaded_by(module)
    assert not loaded & TRAINING_ONLY
    # jieba and the model library cost the first paint a second each.
    assert not loaded & {"jieba", "llama_cpp", "scipy", "sklearn"}


def test_help_and_words_load_no_gradio() -> None:
    for module in ("app.__main__", "app.web.words"):
        assert not loaded_by(module) & {"gradio", "llama_cpp", "sqlalchemy"}, module


def loaded_by(module: str) -> set[str]:
    script = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(result.stdout.split())
