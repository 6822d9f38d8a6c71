"""GGUF of the run's policy and reward encoder in every file type of the recipe, each checked against PyTorch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from transformers import AutoConfig

from training.adapter import merge
from training.checkpoint import load_tokenizer
from training.conversion.conformance import POSTS, check_encoder, check_policy
from training.conversion.drafting import Drafter
from training.conversion.footprint import memory_mb
from training.conversion.gguf_file import broken_rows, quantize, tensor_types, write_f16
from training.conversion.weights import parameters
from training.recipe import Recipe, RecipeError

POLICIES = ("grpo", "sft")
"""The stages that leave a policy, the last one first."""


def trained_policy(run: Path) -> Path:
    """The folder of the run's last policy, an adapter's where it has not been merged.

    Raises:
        RecipeError: if the run has none.
    """
    for stage in POLICIES:
        for folder, file in (("model", "config.json"), ("adapter", "adapter_config.json")):
            if (run / stage / folder / file).is_file():
                return run / stage / folder
    raise RecipeError(f"{run} holds no policy; run the stage sft or grpo first.")


@contextmanager
def whole_policy(run: Path) -> Iterator[Path]:
    """The folder of the run's last policy; an adapter is merged into a folder of its own, which goes afterwards."""
    policy = trained_policy(run)
    if policy.name != "adapter":
        yield policy
        return
    with TemporaryDirectory() as scratch:
        merge(policy, Path(scratch))
        load_tokenizer(policy).save_pretrained(scratch)
        yield Path(scratch)


def export(recipe: Recipe, run: Path) -> None:
    """Export policy and reward encoder in every file type and check each file, for the cards and the desk.

    Leaves `run/export/export.json` (what each model and file is, and one draft it wrote) and `conformance.json`.

    Raises:
        RecipeError: if the run has no policy or no reward model.
    """
    reward = run / "reward" / "model"
    if not reward.is_dir():
        raise RecipeError(f"{run} holds no reward model; run the stage reward first.")
    out = run / "export"
    out.mkdir(exist_ok=True)
    models: dict[str, dict] = {}
    checks: dict[str, dict[str, dict]] = {}
    with whole_policy(run) as policy:
        for role, model in (("policy", policy), ("reward", reward)):
            models[role] = {**_shape(model), "files": {}}
            checks[role] = {}
            base = out / f"{role}-F16.gguf"
            write_f16(model, base, f"{recipe.name}-{role}", recipe.reward.length if role == "reward" else None)
            for file_type in recipe.export.quantizations:
                path = out / f"{role}-{file_type}.gguf"
                if path != base:
                    quantize(base, path, file_type)
                context_tokens = recipe.model.context_tokens if role == "policy" else recipe.reward.length
                entry = _described(path, context_tokens)
                if role == "policy":
                    checks[role][file_type] = check_policy(model, path)
                    with Drafter(path, recipe.evaluate) as drafter:
                        entry["draft"] = asdict(drafter.draft(POSTS[0], recipe.seed))
                else:
                    checks[role][file_type] = check_encoder(model, path)
                models[role]["files"][file_type] = entry
    (out / "conformance.json").write_text(json.dumps(checks, indent=1), "utf-8")
    (out / "export.json").write_text(json.dumps(models, ensure_ascii=False, indent=1), "utf-8")


def _shape(model: Path) -> dict[str, int]:
    config = AutoConfig.from_pretrained(model)
    return {
        "parameters": parameters(model),
        "hidden": config.hidden_size,
        "layers": config.num_hidden_layers,
        "vocabulary": config.vocab_size,
    }


def _described(path: Path, context_tokens: int) -> dict:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "file": path.name,
        "sha256": digest,
        "size_bytes": path.stat().st_size,
        "memory_mb": memory_mb(path, context_tokens),
        "tensor_types": tensor_types(path),
        "rows_not_of_256": broken_rows(path),
    }
