"""launch.py on copies of the project whose packages are tiny local wheels: real venv, real pip, no network."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import launch

ROOT = Path(launch.__file__).parent
OFFLINE = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_RETRIES": "0", "EMPATHY_DESK_LANGUAGE": "en"}

BROKEN_BACKEND = """
def build_wheel(*args):
    raise SystemExit("CMake Error: CMAKE_C_COMPILER not set")
prepare_metadata_for_build_wheel = build_wheel
"""


def write_wheel(folder: Path, name: str, version: str) -> None:
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{module}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{module}.py", f"VERSION = {version!r}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"{module}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


def write_sdist_that_needs_a_compiler(folder: Path, source: Path) -> None:
    source.mkdir()
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (source / "backend.py").write_text(BROKEN_BACKEND)
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: 2\n")
    with tarfile.open(folder / "llama_cpp_python-2.tar.gz", "w:gz") as sdist:
        sdist.add(source, "llama_cpp_python-2")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose app needs two tiny packages and answers with its arguments."""
    project = tmp_path / "共情 desk"
    (project / "app").mkdir(parents=True)
    shutil.copy(ROOT / "launch.py", project)
    (project / "app" / "__main__.py").write_text("import sys, small\nprint(small.VERSION, sys.argv[1:], sys.prefix)\n")
    (project / "pyproject.toml").write_text(
        '[project.optional-dependencies]\napp = ["llama-cpp-python", "small"]\ntrain = []\ntest = []\n'
    )
    (project / "requirements.lock").write_text("llama-cpp-python==1\nsmall==1\n")
    (tmp_path / "wheels").mkdir()
    for name, version in (("llama-cpp-python", "1"), ("small", "1"), ("small", "2")):
        write_wheel(tmp_path / "wheels", name, version)
    return project


def environment(project: Path, **changes: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
    return {**inherited, **OFFLINE, "PIP_FIND_LINKS": (project.parent / "wheels").as_uri(), **changes}


def start(project: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(project / "launch.py"), *arguments],
        env=environment(project, **changes),
        cwd=project.parent,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a refusal."""
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    return result.stderr.strip().splitlines()[-1]


def test_install_then_quick_then_mended(project: Path) -> None:
    first = start(project, "draft", "--json")
    assert first.stdout.startswith("1 ['draft', '--json']"), first.stderr
    assert str(project / ".venv") in first.stdout
    log = project / ".venv" / "install.log"
    written = log.read_text()

    # Nothing to do: no pip runs, so an index that cannot be reached does not matter.
    again = start(project, "x", PIP_FIND_LINKS="", PIP_INDEX_URL="http://127.0.0.1:9")
    assert again.stdout.startswith("1 ['x']") and again.stderr == "" and log.read_text() == written

    # A package that a killed pip left without its last file is installed again.
    (info,) = (project / ".venv").glob("**/site-packages/small-1.dist-info")
    (info / "INSTALLER").unlink()
    (info.parent / "small.py").unlink()
    (project / ".venv" / "desk.json").write_text(
        re.sub('"app": "', '"app": "cut', (project / ".venv" / "desk.json").read_text())
    )
    assert start(project).stdout.startswith("1 []")

    (project / "requirements.lock").write_text("llama-cpp-python==1\nsmall==2\n")
    assert start(project).stdout.startswith("2 []")

    moved = project.rename(project.with_name("moved"))
    result = start(moved)
    assert result.stdout.startswith("2 []") and str(moved / ".venv") in result.stdout
    assert "making it anew" in result.stderr


def test_two_first_starts_at_once_install_once(project: Path) -> None:
    command = [sys.executable, str(project / "launch.py")]
    both = [subprocess.Popen(command, env=environment(project), stdout=subprocess.PIPE) for _ in range(2)]
    assert all(one.communicate(timeout=120)[0].startswith(b"1 []") for one in both)
    assert (project / ".venv" / "install.log").read_text().count("Successfully installed small") == 1


def test_unreachable_index_is_said_in_one_sentence(project: Path) -> None:
    result = start(
        project, PIP_FIND_LINKS="", PIP_NO_INDEX="0", PIP_RETRIES="1", PIP_INDEX_URL="http://127.0.0.1:9/simple"
    )
    assert "check the network" in refused(result)


@pytest.mark.skipif(os.name == "nt", reason="a compiler is looked for by PATH only elsewhere")
def test_failed_build_asks_for_a_compiler_only_where_none_is(project: Path, tmp_path: Path) -> None:
    write_sdist_that_needs_a_compiler(tmp_path / "wheels", tmp_path / "source")
    (project / "requirements.lock").write_text("llama-cpp-python==2\nsmall==1\n")
    sentence = refused(start(project, PATH=str(tmp_path)))
    assert "has no C/C++ compiler" in sentence

    for name in ("cc", "c++"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    sentence = refused(start(project, PATH=str(tmp_path)))
    assert "install.log" in sentence and "compiler" not in sentence


def test_incomplete_copy_names_the_missing_file(project: Path) -> None:
    (project / "requirements.lock").unlink()
    assert "requirements.lock" in refused(start(project))


@pytest.mark.skipif(os.name == "nt", reason="needs a script as interpreter")
def test_python_without_ensurepip_is_told_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\necho 'The virtual environment was not created because ensurepip is not available.'\nexit 1\n"
    )
    python.chmod(0o755)
    monkeypatch.setattr(launch.sys, "executable", str(python))
    monkeypatch.setattr(launch, "VENV", tmp_path / ".venv")
    with pytest.raises(launch.Stop, match="apt install python3"):
        launch.make_venv()


def test_old_python_is_refused_before_anything_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(launch, "OLDEST_PYTHON", (99, 0))
    monkeypatch.setattr(launch, "VENV", tmp_path / ".venv")
    with pytest.raises(launch.Stop, match=r"3\.11"):
        launch.main(["draft"])
    assert list(tmp_path.iterdir()) == []


def test_too_small_a_disk_is_said_before_the_download(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(launch.NEEDS_GB, "app", 10**9)
    monkeypatch.setattr(launch, "VENV", tmp_path / ".venv")
    monkeypatch.setenv("EMPATHY_DESK_LANGUAGE", "zh")
    with pytest.raises(launch.Stop, match="磁盘空间不足"):
        launch.install("app")
    assert not (tmp_path / ".venv").exists()


def test_full_disk_in_the_middle_is_told_from_other_failures(tmp_path: Path) -> None:
    output = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"
    assert launch.diagnose(output, tmp_path, "test") == launch.say("disk_full", folder=launch.ROOT, need=4)
    assert "Boom" in launch.diagnose("Collecting x\nERROR: Boom\nbye\n", tmp_path, "app")


def test_standard_library_only_and_readable_for_an_old_python() -> None:
    tree = ast.parse((ROOT / "launch.py").read_text(encoding="utf-8"), feature_version=(3, 5))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names
    # A future that an old Python does not know is a SyntaxError there, and the sentence is never reached.
    assert "__future__" not in imported


def test_both_languages_say_the_same_values() -> None:
    for key, (chinese, english) in launch.TEXT.items():
        assert set(re.findall(r"{\w+}", chinese)) == set(re.findall(r"{\w+}", english)), key
        assert re.search("[\u4e00-\u9fff]", chinese) and not re.search("[\u4e00-\u9fff]", english), key


def test_lock_pins_every_declared_dependency_exactly() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9.]*(post\d+)?", pin) for pin in pins)
    locked = {pin.split("==")[0] for pin in pins}
    assert len(locked) == len(pins)
    assert set(launch.dependencies(launch.EXTRAS["test"])) <= locked
