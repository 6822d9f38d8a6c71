"""LoRA through peft, and saving a trained policy as one plain checkpoint, with an adapter or without."""

from __future__ import annotations

from pathlib import Path

from peft import AutoPeftModelForCausalLM, LoraConfig, PeftModel
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Trainer

from training.recipe import Recipe


def lora(recipe: Recipe) -> LoraConfig | None:
    """The adapter of a recipe, on every linear layer but the head; None where all parameters are trained."""
    settings = recipe.adapter
    if not settings.rank:
        return None
    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def merge(adapter: Path, folder: Path) -> None:
    """Write the model that an adapter and its base make together, in the base's own type, to `folder`.

    Args:
        adapter: as a trainer saves it, with the tokenizer and the name of the base.
        folder: gets the model and the tokenizer.
    """
    tokenizer = AutoTokenizer.from_pretrained(adapter)
    model = AutoPeftModelForCausalLM.from_pretrained(adapter, dtype="auto", device_map="cpu").merge_and_unload()
    # The base may end at another token than the one that was trained.
    model.config.eos_token_id = model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.config.pad_token_id = model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_policy(trainer: Trainer, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Save the policy of a trainer to `folder`; all processes of a run call this.

    An adapter is saved to `adapter` beside the folder and merged into it: GRPO reads its reference model from disk, and
    a policy that differs from that file would be held to the wrong model.
    """
    with_adapter = isinstance(trainer.accelerator.unwrap_model(trainer.model), PeftModel)
    saved = folder.with_name("adapter") if with_adapter else folder
    # Called by every process, since the weights may lie in pieces; the first one writes.
    trainer.save_model(str(saved))
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        tokenizer.save_pretrained(saved)
        if with_adapter:
            merge(saved, folder)
    trainer.accelerator.wait_for_everyone()
