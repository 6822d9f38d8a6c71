"""Many processes: the launcher takes every configuration, and two on the CPU train what one does, killed or not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from accelerate import DeepSpeedPlugin, FullyShardedDataParallelPlugin
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env
from safetensors.numpy import load_file

from tests.tiny_qwen import write_qwen
from training.data.build import build, sets_in
from training.recipe_file import load_recipe
from training.sft import sft
from training.stage import read_metrics

CLUSTERS = sorted(Path("training/clusters").glob("*.yaml"))
SMOKE = Path("training/recipes/smoke.yaml")


def launched(path: Path):
    """The launcher's arguments, as it makes them from a configuration."""
    arguments, *_ = _validate_launch_command(
        launch_command_parser().parse_args(["--config_file", str(path), "-m", "training", "sft"])
    )
    return arguments


@pytest.mark.parametrize("path", CLUSTERS, ids=lambda path: path.stem)
def test_the_launcher_knows_every_setting(path):
    config = load_config_from_file(str(path))
    known = set(vars(launch_command_parser().parse_args(["-m", "training"])))
    assert {*config.fsdp_config, *config.deepspeed_config} <= known
    assert launched(path).num_processes == config.num_processes


def test_fsdp_shards_each_layer_and_saves_whole_models(monkeypatch):
    for key, value in prepare_multi_gpu_env(launched(Path("training/clusters/fsdp-8.yaml"))).items():
        monkeypatch.setenv(key, value)
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2 and plugin.transformer_cls_names_to_wrap == ["Qwen3DecoderLayer"]
    assert plugin.state_dict_type.name == "FULL_STATE_DICT" and plugin.reshard_after_forward


@pytest.mark.parametrize("name", ["zero3-8", "zero3-multinode"])
def test_zero3_shards_parameters_and_saves_whole_models(name, monkeypatch):
    arguments = launched(Path(f"training/clusters/{name}.yaml"))
    config = load_config_from_file(f"training/clusters/{name}.yaml")
    arguments.deepspeed_fields_from_accelerate_config = ",".join(config.deepspeed_config)  # as the launcher does
    _, environment = prepare_deepspeed_cmd_env(arguments)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    plugin = DeepSpeedPlugin()
    assert plugin.zero_stage == 3 and plugin.is_zero3_init_enabled()
    assert plugin.deepspeed_config["zero_optimization"]["stage3_gather_16bit_weights_on_model_save"]


@pytest.fixture(scope="module")
def settings(data_folder, tmp_path_factory) -> list[str]:
    texts = [path.name for path in data_folder.iterdir()]
    qwen = write_qwen(tmp_path_factory.mktemp("qwen"), texts)
    return [f"model.checkpoint={qwen}", "sft.length=4096", "sft.examples=8", "sft.save_every=1"]


@pytest.fixture(scope="module")
def corpus(data_folder, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    build(sets_in(data_folder), folder, lambda line: None)
    return folder


def launch(data: Path, run: Path, settings: list[str]) -> subprocess.Popen[str]:
    """`python -m training sft` in two processes."""
    command = [sys.executable, "-m", "accelerate.commands.launch"]
    command += ["--config_file", "training/clusters/cpu-2.yaml", "-m", "training", "sft", str(SMOKE)]
    command += ["--data", str(data), "--run", str(run)]
    for setting in settings:
        command += ["--set", setting]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def kill(launcher: subprocess.Popen[str]) -> None:
    """As a power cut would: the launcher first, so that it ends nothing in order, then both that train."""
    workers = psutil.Process(launcher.pid).children(recursive=True)
    assert len(workers) >= 2
    for process in (launcher, *workers):
        process.kill()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive


def test_two_processes_killed_and_resumed_train_what_one_does(data_folder, corpus, settings, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for run in (one, two):
        run.mkdir()
        (run / "corpus").symlink_to(corpus)
    sft(load_recipe(SMOKE, [*settings, "sft.batch=2"]), one)
    halved = [*settings, "sft.batch=1"]

    killed = launch(data_folder, two, halved)
    said = []
    for line in killed.stdout:
        said.append(line)
        if sum("'loss'" in text for text in said) == 2:  # the first step's checkpoint is written by now
            kill(killed)
            break
    else:
        pytest.fail("".join(said)[-3000:])
    killed.stdout.close()
    killed.wait()
    assert (two / "sft" / "checkpoint-1" / "trainer_state.json").exists()
    assert not (two / "sft" / "model").exists()

    resumed = launch(data_folder, two, halved)
    output, _ = resumed.communicate()
    assert resumed.returncode == 0, output[-3000:]

    def losses(run: Path) -> list[float]:
        return [entry["loss"] for entry in read_metrics(run / "sft" / "metrics.jsonl") if "loss" in entry]

    assert len(losses(two)) == 4, "one process writes, and goes on where the checkpoint was"
    assert losses(two) == pytest.approx(losses(one), rel=1e-3)
    first, second = (load_file(run / "sft" / "model" / "model.safetensors") for run in (one, two))
    assert all(abs(first[name] - second[name]).max() < 2e-3 for name in first)
    stages = read_metrics(two / "stages.jsonl")
    assert [(entry["processes"], "seconds" in entry) for entry in stages] == [(2, False), (2, True)]
    assert (two / "sft" / "curves.png").exists() and not list((two / "sft").glob("checkpoint-*"))
