"""What is refused before a stage runs: settings that a library does not take, missing means, too little memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import Qwen3Config, Qwen3ForCausalLM

from training.check import check_features, check_stage, dry_run
from training.memory import Load, activation_bytes, adapter_parameters, check_memory, needed_bytes, parameters
from training.recipe import RecipeError
from training.recipe_file import load_recipe

FOLDER = Path("training/recipes")
SMOKE = FOLDER / "smoke.yaml"
PROCESSES = {"qwen3-8b-paper": 6}
SMALL = Qwen3Config(
    vocab_size=300,
    hidden_size=64,
    num_hidden_layers=3,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=32,
    intermediate_size=96,
    tie_word_embeddings=True,
)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_taken_by_the_libraries(path, tmp_path, monkeypatch):
    table = dry_run(load_recipe(path), PROCESSES.get(path.stem, 1))
    assert "grpo.learning_rate" in table and "completions a step" in table
    assert not Path(path.stem).exists(), "a dry run writes nothing"


def test_the_papers_micro_batch_is_one_on_six_processes():
    table = dry_run(load_recipe(FOLDER / "qwen3-8b-paper.yaml"), 6)
    rows = {line.rsplit(maxsplit=1)[0]: line.rsplit(maxsplit=1)[1] for line in table.splitlines()}
    assert rows["grpo: completions at once in a process"] == "1"
    assert rows["grpo: completions a step"] == "24"


def test_a_batch_that_cannot_be_dealt_out_is_a_sentence():
    with pytest.raises(RecipeError, match="cannot be dealt"):
        dry_run(load_recipe(FOLDER / "qwen3-8b-paper.yaml"), 5)


@pytest.mark.skipif(torch.cuda.is_available(), reason="what is missing here is a GPU")
def test_what_needs_a_gpu_is_refused_without_one(monkeypatch):
    with pytest.raises(RecipeError, match=r"grpo.vllm is colocate, but no GPU is here; set it to 'off'"):
        check_features("grpo", load_recipe(SMOKE, ["grpo.vllm=colocate"]))
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(RecipeError, match=r"FSDP needs GPUs, .* training/clusters/cpu-2.yaml"):
        check_features("sft", load_recipe(SMOKE))


def test_a_stage_whose_model_is_missing_says_so(tmp_path):
    with pytest.raises(RecipeError, match="holds no tokenizer; run the stage tokenizer first"):
        check_stage("pretrain", load_recipe(SMOKE), tmp_path)
    with pytest.raises(RecipeError, match="holds no model; run the stage that writes it first"):
        check_stage("grpo", load_recipe(SMOKE), tmp_path)
    with pytest.raises(RecipeError, match="hf download Qwen/no-such-thing --revision abc"):
        check_stage("sft", load_recipe(SMOKE, ["model.checkpoint=Qwen/no-such-thing", "model.revision=abc"]), tmp_path)


@pytest.mark.parametrize("tied", [True, False])
def test_parameters_are_those_of_the_model(tied):
    config = Qwen3Config(**{**SMALL.to_dict(), "tie_word_embeddings": tied})
    assert parameters(config) == sum(p.numel() for p in Qwen3ForCausalLM(config).parameters())


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's own
def test_adapter_parameters_are_those_of_peft():
    model = get_peft_model(Qwen3ForCausalLM(SMALL), LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    assert adapter_parameters(SMALL, 4) == model.get_nb_trainable_parameters()[0]


def test_activations_are_what_autograd_keeps():
    """Counted by its hooks; what it keeps beside is the weights' copies in bfloat16."""
    model = Qwen3ForCausalLM(SMALL).train()
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

    def kept(tokens: int) -> int:
        storages: dict[int, int] = {}
        held = []  # so that no address is given out twice

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                storages[storage.data_ptr()] = storage.nbytes()
                held.append(tensor)
            return tensor

        with (
            torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
            torch.autocast("cpu", torch.bfloat16),
        ):
            model.model(input_ids=torch.zeros(1, tokens, dtype=torch.long), use_cache=False)
        return sum(storages.values())

    assert activation_bytes(SMALL, 512, False) == pytest.approx(kept(768) - kept(256), rel=0.05)


def test_the_parts_of_the_memory_by_hand():
    count = parameters(SMALL)
    full = needed_bytes(SMALL, Load(2, 10, logits=5, reference=True))
    assert full["weights, gradients and optimizer"] == 16 * count and full["reference model"] == 4 * count
    assert full["logits"] == 2 * 5 * 300 * 8
    sharded = needed_bytes(SMALL, Load(2, 10, reference=True, shards=4))
    assert sharded["weights, gradients and optimizer"] == 4 * count and sharded["reference model"] == count
    adapted = needed_bytes(SMALL, Load(2, 10, reference=True, rank=4))
    assert adapted["reference model"] == 0
    assert adapted["weights, gradients and optimizer"] < full["weights, gradients and optimizer"]
    assert needed_bytes(SMALL, Load(2, 10, checkpointing=True))["activations"] < full["activations"]


def test_what_cannot_fit_is_refused_with_what_to_lower():
    needed = {"weights": 3_000_000_000, "logits": 1_500_000_000, "reference model": 0}
    check_memory("sft", needed, free=4_500_000_000, less="sft.batch")
    with pytest.raises(RecipeError) as caught:
        check_memory("sft", needed, free=4_400_000_000, less="sft.batch")
    assert str(caught.value).startswith(
        "sft needs at least 4.5 GB in each process (weights 3.0, logits 1.5), and 4.4 GB are free; lower sft.batch,"
    )
