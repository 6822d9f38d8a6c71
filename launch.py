#!/usr/bin/env python3
"""Empathy Desk in one command: makes `.venv` beside this file, installs what is needed, starts.

    python3 launch.py             the desk, on this machine only
    python3 launch.py test        the tests (arguments go to pytest)
    python3 launch.py train ...   the training pipeline
    python3 launch.py data ...    the corpus that it learns from
    python3 launch.py --help      everything else

Standard library only, and readable for any Python 3, so that an old one is told so. Nothing is installed outside `.venv`.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
OLDEST_PYTHON = (3, 11)

# What each environment holds; they share one folder, so nothing is installed twice.
EXTRAS = {"app": ("app",), "team": ("app", "team"), "train": ("app", "train"), "test": ("app", "team", "train", "test")}
NEEDS_GB = {"app": 1, "team": 1, "train": 4, "test": 4}
TRAINING = {"train": "training", "data": "training.data"}
ENGINE = "llama-cpp-python"
UNREACHABLE = r"Retrying \(Retry|NewConnectionError|Read timed out|ReadTimeout|ProxyError|SSLError|IncompleteRead|from versions: none"

TEXT = {
    "old_python": (
        "Python {found} 太旧，共情工作台需要 3.11 或更新的版本；请从 python.org 或系统软件源安装后，用新的 python3 再运行本命令。",
        "Python {found} is too old, Empathy Desk needs 3.11 or newer; install it from python.org or your system's packages and run this command with it.",
    ),
    "no_venv": (
        "这个 Python 缺少 venv 或 ensurepip，无法建立环境；Debian 和 Ubuntu 请运行 sudo apt install python{python}-venv，然后再运行本命令。",
        "This Python lacks venv or ensurepip, so no environment can be made; on Debian and Ubuntu run: sudo apt install python{python}-venv, then run this command again.",
    ),
    "no_compiler": (
        "编译模型引擎需要 C/C++ 编译器，而这台电脑上没有找到；请先安装（{how}），然后再运行本命令。",
        "The engine has to be compiled and this machine has no C/C++ compiler; install one ({how}), then run this command again.",
    ),
    "no_disk": (
        "磁盘空间不足：{folder} 还有 {free} GB，需要约 {need} GB；请腾出空间后再运行本命令。",
        "Not enough disk: {folder} has {free} GB free and about {need} GB are needed; free some space and run this command again.",
    ),
    "disk_full": (
        "安装时磁盘已满；请在 {folder}、临时文件夹和用户目录所在的磁盘上腾出约 {need} GB，然后再运行本命令，它会从断处继续。",
        "The disk filled up while installing; free about {need} GB where {folder}, the temporary folder and your home are, and run this command again, it goes on where it stopped.",
    ),
    "not_writable": (
        "无法写入 {folder}：{reason}；请把整个文件夹移到你可以写入的位置后再运行本命令。",
        "Cannot write {folder}: {reason}; move the whole folder to where you may write and run this command again.",
    ),
    "network": (
        "下载失败；请检查网络或 pip 的镜像设置，然后再运行本命令，它会从断处继续（详情：{log}）。",
        "A download failed; check the network or pip's index settings and run this command again, it goes on where it stopped (details: {log}).",
    ),
    "pip": (
        "安装失败：{reason}；完整记录在 {log}，处理后再运行本命令，它会从断处继续。",
        "The installation failed: {reason}; the whole record is in {log}. Once mended, run this command again, it goes on where it stopped.",
    ),
    "unpacked": (
        "{file} 不在 launch.py 旁边，这份副本不完整；请重新下载整个项目。",
        "{file} is not beside launch.py, so this copy is incomplete; download the whole project again.",
    ),
    "interrupted": (
        "已中断；再运行本命令会从断处继续。",
        "Interrupted; run this command again and it goes on where it stopped.",
    ),
    "waiting": ("另一个 launch.py 正在安装，等它完成……", "Another launch.py is installing; waiting for it …"),
    "making": ("建立环境 {folder}（约 10 秒）", "Making the environment {folder} (about 10 seconds)"),
    "remaking": (
        "环境 {folder} 不可用（被移动、中断或换了 Python），重新建立（约 10 秒）",
        "The environment {folder} is unusable (moved, cut short, or its Python is gone); making it anew (about 10 seconds)",
    ),
    "engine": (
        "准备模型引擎 llama.cpp：首次需编译，双核电脑约 4 分钟",
        "Preparing the engine llama.cpp: compiled the first time, about 4 minutes on 2 cores",
    ),
    "app": (
        "安装工作台的其余部分（下载约 150 MB，通常 1 分钟）",
        "Installing the rest of the desk (downloads about 150 MB, usually 1 minute)",
    ),
    "team": (
        "安装连接 PostgreSQL 的部分（下载约 5 MB）",
        "Installing the part that talks to PostgreSQL (downloads about 5 MB)",
    ),
    "train": (
        "安装训练部分（下载约 600 MB，通常 2 分钟）",
        "Installing the training part (downloads about 600 MB, usually 2 minutes)",
    ),
    "test": (
        "安装训练和测试部分（下载约 700 MB，通常 2 分钟）",
        "Installing the training and test parts (downloads about 700 MB, usually 2 minutes)",
    ),
    "starting": (
        "环境就绪，启动工作台（通常 3 秒内）",
        "The environment is ready, starting the desk (usually within 3 seconds)",
    ),
    "testing": (
        "环境就绪，运行测试（双核电脑约 16 分钟）",
        "The environment is ready, running the tests (about 16 minutes on 2 cores)",
    ),
}


class Stop(Exception):
    """Something a person must mend; carries the sentence that says what."""


def say(key, **values):
    """The text in the language of the machine: Chinese where it is set, English elsewhere."""
    language = next((os.environ[k] for k in ("EMPATHY_DESK_LANGUAGE", "LC_ALL", "LANG") if os.environ.get(k)), "")
    if not language and os.name == "nt":
        import ctypes

        language = "zh" if ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF == 0x04 else "en"
    return TEXT[key][0 if language.startswith("zh") else 1].format(**values)


def note(key, **values):
    # stdout belongs to the verbs, whose JSON must stand there alone.
    print(say(key, **values), file=sys.stderr, flush=True)


def dependencies(extras):
    """The requirements that pyproject.toml declares for these extras."""
    import tomllib

    declared = tomllib.loads(project_file("pyproject.toml"))["project"]["optional-dependencies"]
    return [requirement for extra in extras for requirement in declared[extra]]


def project_file(name):
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Stop(say("unpacked", file=name)) from None


def venv_python():
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def identity():
    """What must not have changed under an environment: its place, its settings and the interpreter it stands on."""
    try:
        settings = (VENV / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return None
    home = re.search(r"^home = (.+)$", settings, re.MULTILINE)
    if not venv_python().exists() or not home or not Path(home[1]).is_dir():
        return None
    return "\n".join((str(VENV), os.path.realpath(venv_python()), settings))


def digest(extra):
    """Names exactly what an installation of `extra` would put into this environment."""
    parts = (identity(), dependencies(EXTRAS[extra]), project_file("requirements.lock"))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read_stamps():
    try:
        return json.loads((VENV / "desk.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def write_stamps(stamps):
    fresh = VENV / "desk.json.new"
    fresh.write_text(json.dumps(stamps), encoding="utf-8")
    os.replace(fresh, VENV / "desk.json")


def ready(extra):
    """True if nothing has to be done: no pip, no network."""
    return read_stamps().get(extra) == digest(extra)


def has_compiler():
    if os.name == "nt":
        installer = Path(os.environ.get("ProgramFiles(x86)", ""), "Microsoft Visual Studio", "Installer", "vswhere.exe")
        return bool(shutil.which("cl") or installer.exists())
    if sys.platform == "darwin":  # /usr/bin/cc is there even without the tools behind it
        return (
            bool(shutil.which("xcode-select"))
            and subprocess.run(["xcode-select", "-p"], capture_output=True).returncode == 0
        )
    c = os.environ.get("CC") or any(map(shutil.which, ("cc", "gcc", "clang")))
    return bool(c and (os.environ.get("CXX") or any(map(shutil.which, ("c++", "g++", "clang++")))))


def how_to_get_a_compiler():
    if os.name == "nt":
        return "Visual Studio Build Tools, “Desktop development with C++”"
    if sys.platform == "darwin":
        return "xcode-select --install"
    for tool, command in (
        ("apt", "build-essential"),
        ("dnf", "gcc-c++"),
        ("zypper", "gcc-c++"),
        ("pacman", "base-devel"),
    ):
        if shutil.which(tool):
            verb = "-S" if tool == "pacman" else "install"
            return "sudo {} {} {}".format(tool, verb, command)
    return "gcc, g++"


@contextmanager
def one_installer():
    """Two installations at once would spoil each other; the second waits. The lock dies with its process."""
    with open(VENV.with_name(".venv.lock"), "a") as lock:
        if not try_lock(lock):
            note("waiting")
            while not try_lock(lock):
                time.sleep(0.5)
        yield


def try_lock(file):
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def make_venv():
    """A new, empty environment. Its first stamp is written last: one without it was cut short."""
    note("remaking" if VENV.exists() else "making", folder=VENV)
    if VENV.is_symlink():
        VENV.unlink()
    elif VENV.exists():
        shutil.rmtree(str(VENV))
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if made.returncode != 0:
        output = made.stdout + made.stderr
        if "No space left" in output:
            raise Stop(say("disk_full", folder=ROOT, need=NEEDS_GB["app"]))
        if "ensurepip" in output or "No module named" in output:
            raise Stop(say("no_venv", python="{}.{}".format(*sys.version_info[:2])))
        raise Stop(say("not_writable", folder=VENV, reason=last_line(output)))
    write_stamps({"made": identity()})


def drop_half_installed():
    """pip writes INSTALLER last. A package without it was cut short, but pip would believe it complete."""
    for info in VENV.glob("**/site-packages/*.dist-info"):
        if not (info / "INSTALLER").exists():
            shutil.rmtree(str(info))


def engine_installed():
    locked = re.search("^" + ENGINE + "==(.+)$", project_file("requirements.lock"), re.MULTILINE)
    return any(VENV.glob("**/site-packages/{}-{}.dist-info".format(ENGINE.replace("-", "_"), locked[1])))


def pip_install(requirements, extra):
    """One run of pip, its output in the log; on a terminal the seconds tick."""
    log = VENV / "install.log"
    command = [
        str(venv_python()),
        "-m",
        "pip",
        "install",
        "--no-input",
        "--disable-pip-version-check",
        "--progress-bar=off",
    ]
    command += ["-c", str(ROOT / "requirements.lock"), *requirements]
    with open(log, "a", encoding="utf-8") as record:
        start = record.tell()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=record, stderr=subprocess.STDOUT)
        try:
            wait(process)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode != 0:
        with open(log, encoding="utf-8", errors="replace") as record:
            record.seek(start)
            raise Stop(diagnose(record.read(), log, extra))


def wait(process):
    started = time.monotonic()
    ticking = sys.stderr.isatty()
    while process.poll() is None:
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            if ticking:
                print("\r  … {:.0f} s ".format(time.monotonic() - started), end="", file=sys.stderr, flush=True)
    if ticking:
        print("\r" + " " * 12 + "\r", end="", file=sys.stderr, flush=True)


def diagnose(output, log, extra):
    """The sentence for a failed pip run: what it was, as far as its output tells."""
    if "No space left on device" in output or "Errno 28" in output or "Disk quota exceeded" in output:
        return say("disk_full", folder=ROOT, need=NEEDS_GB[extra])
    if (
        re.search("Failed (building|to build)|Could not build|metadata-generation-failed", output)
        and not has_compiler()
    ):
        return say("no_compiler", how=how_to_get_a_compiler())
    if re.search(UNREACHABLE, output):
        return say("network", log=log)
    return say("pip", reason=last_line(output), log=log)


def last_line(output):
    """The last error line of a tool, or its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["?"])[-1]


def install(extra):
    """Bring `.venv` to where `extra` works; does nothing, and asks no network, where it already does."""
    if ready(extra):
        return
    with one_installer():
        if ready(extra):
            return
        free_gb = shutil.disk_usage(str(ROOT)).free / 1e9
        current = identity()
        if current is None or read_stamps().get("made") != current:
            if free_gb < NEEDS_GB[extra]:
                raise Stop(say("no_disk", folder=ROOT, free=round(free_gb, 1), need=NEEDS_GB[extra]))
            make_venv()
        drop_half_installed()
        wanted = dependencies(EXTRAS[extra])
        if not engine_installed():
            note("engine")
            # First and alone: it is the one step that may need a compiler, and the long one.
            pip_install([ENGINE], extra)
        note(extra)
        pip_install(wanted, extra)
        write_stamps({**read_stamps(), **{done: digest(done) for done in EXTRAS[extra]}})


def start(arguments):
    """Hand over to the environment's Python. It sees this folder's packages and the environment's, nobody else's."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1"}
    environment.pop("PYTHONHOME", None)
    command = [str(venv_python()), *arguments]
    if os.name == "nt":  # exec there returns to the shell at once
        sys.exit(subprocess.call(command, env=environment))
    os.execve(command[0], command, environment)


def main(arguments):
    if sys.version_info < OLDEST_PYTHON:
        raise Stop(say("old_python", found="{}.{}".format(*sys.version_info[:2])))
    verb = arguments[0] if arguments else ""
    if verb == "test":
        install("test")
        note("testing")
        os.chdir(str(ROOT))
        start(["-m", "pytest", *arguments[1:]])
    elif verb in TRAINING:
        install("train")
        start(["-m", TRAINING[verb], *arguments[1:]])
    else:
        install("team" if os.environ.get("EMPATHY_DESK_DATABASE_URL") else "app")
        if not arguments:
            note("starting")
        start(["-m", "app", *arguments])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Stop as stop:
        sys.exit(str(stop))
    except KeyboardInterrupt:
        print(say("interrupted"), file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        folder = error.filename or ROOT
        sys.exit(
            say("disk_full", folder=ROOT, need=1)
            if error.errno == 28
            else say("not_writable", folder=folder, reason=error.strerror)
        )
