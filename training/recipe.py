"""A recipe: one YAML file that says everything about a run. The dataclasses here are the only source of defaults.

Every value that the paper (arXiv:2509.14851) states is tagged `paper`; where it is silent, `ours`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml


class RecipeError(ValueError):
    """A recipe that cannot be run; the message says what to change."""


@dataclass(frozen=True)
class TokenizerRecipe:
    """Byte-level BPE (ours)."""

    vocab_size: int = 8192
    dialogues: int = 6000
    """Dialogues that the merges are learned from."""


@dataclass(frozen=True)
class ModelRecipe:
    """A Qwen3-architecture decoder with tied embeddings (ours; the paper starts from Qwen3-8B)."""

    hidden: int = 256
    """A multiple of 256, or K-quants fall back to larger types."""
    layers: int = 8
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    ffn: int = 768
    context_tokens: int = 4096


@dataclass(frozen=True)
class PretrainRecipe:
    """Muon for the hidden matrices, AdamW for the rest, linear cooldown (ours)."""

    steps: int = 1500
    batch: int = 16
    length: int = 768
    muon_lr: float = 0.02
    adamw_lr: float = 3e-3
    weight_decay: float = 0.01
    warmup_steps: int = 50
    cooldown: float = 0.5
    """Share of the steps over which the rate falls to zero."""
    chains: int = 2
    """How often each pair of the corpus stands among the documents in the response format."""
    save_every: int = 50
    compile: bool = True


@dataclass(frozen=True)
class SftRecipe:
    """Supervised fine-tuning on chains; the paper uses 200 vetted ones, rates are ours."""

    examples: int = 3000
    """Rule-made chains."""
    seed_chains: int = 4
    """How often each hand-written Chinese chain is shown beside them; 0 leaves these out."""
    epochs: float = 1.0
    batch: int = 8
    length: int = 1792
    """Tokens; every hand-written chain fits at 8,192 pieces of vocabulary."""
    learning_rate: float = 5e-4
    save_every: int = 50


@dataclass(frozen=True)
class RewardRecipe:
    """Eq. 5. Margin, encoder and the mix of negatives are ours: the paper gives none."""

    triplets: int = 12000
    batch: int = 16
    length: int = 512
    margin: float = 0.3
    learning_rate: float = 1e-3
    epochs: float = 1.0
    save_every: int = 50
    negatives: dict[str, float] = field(
        default_factory=lambda: {"irrelevant": 0.35, "mismatched": 0.25, "generic": 0.15, "echo": 0.25}
    )
    """irrelevant, mismatched emotion and generic are the paper's; echo (the post copied) is ours."""


@dataclass(frozen=True)
class GrpoRecipe:
    """Eq. 1-4 and 6. G = 4, T_rollout = 1.0 and the two-part reward are the paper's; the rest is ours."""

    steps: int = 40
    posts_per_step: int = 4
    group_size: int = 4
    max_prompt_tokens: int = 512
    max_completion_tokens: int = 768
    temperature: float = 1.0
    learning_rate: float = 2e-6
    clip: float = 0.2
    kl_beta: float = 0.04
    save_every: int = 5


@dataclass(frozen=True)
class EvaluateRecipe:
    """How many test posts are answered, and the sampling of the desk (ours)."""

    posts: int = 100
    batch: int = 16
    max_prompt_tokens: int = 640
    max_completion_tokens: int = 1200
    temperature: float = 0.6
    top_k: int = 40
    top_p: float = 0.9
    repetition_penalty: float = 1.2


@dataclass(frozen=True)
class ExportRecipe:
    """Which quantizations are written; the first is the one the desk uses."""

    quantizations: tuple[str, ...] = ("Q8_0", "Q4_K_M", "F16")


@dataclass(frozen=True)
class Recipe:
    """One run, all stages."""

    name: str
    seed: int = 42
    tokenizer: TokenizerRecipe = TokenizerRecipe()
    model: ModelRecipe = ModelRecipe()
    pretrain: PretrainRecipe = PretrainRecipe()
    sft: SftRecipe = SftRecipe()
    reward: RewardRecipe = RewardRecipe()
    grpo: GrpoRecipe = GrpoRecipe()
    evaluate: EvaluateRecipe = EvaluateRecipe()
    export: ExportRecipe = ExportRecipe()

    def __post_init__(self) -> None:
        if self.grpo.group_size < 2:
            raise RecipeError(
                f"grpo.group_size is {self.grpo.group_size}, but GRPO compares completions within a group; "
                "set it to 2 or more."
            )
        if not -2 < self.reward.margin < 2:
            raise RecipeError(f"reward.margin is {self.reward.margin}, but cosines differ by less than 2.")
        if abs(sum(self.reward.negatives.values()) - 1) > 1e-6:
            raise RecipeError(f"reward.negatives add up to {sum(self.reward.negatives.values())}; make it 1.")


def _build(cls: type, values: dict[str, Any], where: str) -> Any:
    known = {item.name: item for item in fields(cls)}
    for key in values:
        if key not in known:
            raise RecipeError(f"{where}{key} is not a setting; known here: {', '.join(known)}.")
    built = {}
    for key, value in values.items():
        default = known[key].default
        if is_dataclass(default):
            built[key] = _build(type(default), value, f"{where}{key}.")
        else:
            built[key] = tuple(value) if isinstance(value, list) else value
    return cls(**built)


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
