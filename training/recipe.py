"""A recipe, all settings of a run. The dataclasses here are the only source of defaults; `training.recipe_file` reads
YAML into them.

Every value that the paper (arXiv:2509.14851) states is tagged `paper`; where it is silent, `ours`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


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
    """A released Qwen3 checkpoint, or the shape of one trained from scratch, its embeddings tied (ours)."""

    checkpoint: str | None = None
    """A folder or an id such as Qwen/Qwen3-8B, the paper's; the sizes below are then the checkpoint's own."""
    revision: str | None = None
    """The commit of the id; null is whatever its main branch was when it was downloaded."""
    activation_checkpointing: bool = False
    """Compute activations again in the backward pass of SFT and GRPO: far less memory for a third more time."""
    hidden: int = 256
    """A multiple of 256, or K-quants fall back to larger types."""
    layers: int = 8
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    ffn: int = 768
    context_tokens: int = 4096


@dataclass(frozen=True)
class AdapterRecipe:
    """LoRA on every linear layer in SFT and GRPO (ours; the paper trains all parameters)."""

    rank: int = 0
    """0 trains all parameters, without an adapter."""
    alpha: int = 32
    dropout: float = 0.0


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

    chain: bool = True
    """false trains on the answers alone, for the comparison of `reproduce --table 4`."""
    examples: int = 3000
    """Rule-made chains."""
    seed_chains: int = 4
    """How often each hand-written Chinese chain is shown beside them; 0 leaves these out."""
    approved: str | None = None
    """A file of chains that people have approved on the desk (`launch.py export sft`), shown once each."""
    epochs: float = 1.0
    batch: int = 8
    """Examples a step in each process."""
    gradient_accumulation: int = 1
    """Steps whose gradients are added up before the weights change."""
    length: int = 1792
    """Tokens; every hand-written chain fits at 8,192 pieces of vocabulary."""
    learning_rate: float = 5e-4
    save_every: int = 50


@dataclass(frozen=True)
class SynthesizeRecipe:
    """Chains by a teacher. DeepSeek-R1 and 200 posts are the paper's, its own advice the temperature, the rest ours."""

    url: str = "https://openrouter.ai/api/v1"
    """An OpenAI-compatible endpoint. DeepSeek's own sells later models alone: deepseek-reasoner ended in July 2026."""
    model: str = "deepseek/deepseek-r1"
    key_variable: str = "OPENROUTER_API_KEY"
    """The environment variable that holds the key; the key itself stands in no file."""
    posts: int = 200
    attempts: int = 3
    """Replies asked for a post before it is given up."""
    parallel: int = 4
    temperature: float = 0.6
    max_tokens: int = 8192
    """Of one reply, its own thinking included."""
    timeout_s: float = 600
    input_price: float | None = None
    """Per million tokens, as the endpoint charges on the day; 0 for a server of one's own."""
    output_price: float | None = None
    max_cost: float = 5.0
    """No request is sent that could take the sum over this, in the currency of the prices."""

    def __post_init__(self) -> None:
        for name in ("posts", "attempts", "parallel", "max_tokens"):
            if getattr(self, name) < 1:
                raise RecipeError(f"synthesize.{name} is {getattr(self, name)}; set it to 1 or more.")


@dataclass(frozen=True)
class RewardRecipe:
    """Eq. 5, or a contrastive loss. Margin, encoder and the mix of negatives are ours: the paper gives none."""

    encoder: str | None = None
    """A folder or an id such as Qwen/Qwen3-Embedding-0.6B; null is the model that the run starts from."""
    loss: str = "contrastive"
    """triplet: Eq. 5; contrastive: the answer above all others of the batch (ours)."""
    triplets: int = 12000
    """Posts with an answer and a negative, each shown once; they go round all pairs of the corpus."""
    seed_triples: int = 1
    """How often each hand-written wrong answer is shown beside them; 0 leaves these out."""
    batch: int = 32
    length: int = 512
    """Tokens; no answer of the corpus is cut at 8,192 pieces of vocabulary."""
    margin: float = 0.3
    """m of Eq. 5, in cosine."""
    scale: float = 10.0
    """Of the contrastive loss: what distances are multiplied by before the softmax."""
    learning_rate: float = 1e-3
    role_prefixes: bool = True
    """Mark post and answer as such; false is the paper's symmetric encoder, for measuring what that does."""
    save_every: int = 50
    negatives: dict[str, float] = field(
        default_factory=lambda: {"irrelevant": 0.35, "mismatched": 0.25, "generic": 0.15, "echo": 0.25}
    )
    """irrelevant, mismatched emotion and generic are the paper's; echo (the post copied) is ours."""

    def __post_init__(self) -> None:
        if self.loss not in ("triplet", "contrastive"):
            raise RecipeError(f"reward.loss is {self.loss}; set it to triplet or contrastive.")


GRADED_WEIGHTS = {
    "format": 1.0,
    "score": 1.0,
    "echo": 0.5,
    "repetition": 0.5,
    "length": 0.5,
    "layers": 0.5,
    "grounding": 0.5,
    "plan": 0.5,
}
"""The terms of the graded reward (training/rewards.py); the first two are the paper's, made gradual."""


@dataclass(frozen=True)
class GrpoRecipe:
    """Eq. 1-4 and 6. G = 4, T_rollout = 1.0 and the two-part reward are the paper's; the rest is ours."""

    reward: str = "paper"
    """paper: format and answer, each 0 or 1; graded: the terms of `weights` (training/rewards.py)."""
    weights: dict[str, float] = field(default_factory=lambda: dict(GRADED_WEIGHTS))
    """Of the graded reward, which is their weighted mean; a term that is not named is not counted."""
    steps: int = 40
    posts_per_step: int = 4
    """Posts between two changes of the weights, over all processes; each is answered `group_size` times."""
    group_size: int = 4
    gradient_accumulation: int = 1
    """Parts in which a process works off its completions of a step."""
    max_prompt_tokens: int = 512
    """Posts that are longer are left out."""
    max_completion_tokens: int = 768
    temperature: float = 1.0
    learning_rate: float = 2e-6
    clip: float = 0.2
    kl_beta: float = 0.04
    vllm: str = "off"
    """'off', quoted: sampled by transformers; colocate: by vLLM on the same GPUs; server: by `trl vllm-serve`."""
    save_every: int = 5

    def __post_init__(self) -> None:
        if self.reward not in ("paper", "graded"):
            raise RecipeError(f"grpo.reward is {self.reward}; set it to paper or graded.")
        if self.vllm not in ("off", "colocate", "server"):
            raise RecipeError(f"grpo.vllm is {self.vllm}; set it to 'off', colocate or server.")
        strange = ", ".join(sorted(set(self.weights) - set(GRADED_WEIGHTS)))
        if strange or "format" not in self.weights:
            raise RecipeError(
                f"grpo.weights {f'names {strange}' if strange else 'leaves out format'}; the terms are "
                f"{', '.join(GRADED_WEIGHTS)}, and format is the one that every completion has."
            )
        if min(self.weights.values()) < 0 or not sum(self.weights.values()):
            raise RecipeError("grpo.weights are negative or add up to 0; give at least one term a positive weight.")


@dataclass(frozen=True)
class EvaluateRecipe:
    """How many test posts are answered, and the sampling of the desk (ours)."""

    posts: int = 200
    """Test posts; those with two answers or more come first."""
    batch: int = 32
    max_prompt_tokens: int = 640
    max_completion_tokens: int = 1200
    temperature: float = 0.6
    top_k: int = 40
    top_p: float = 0.9
    repetition_penalty: float = 1.2


QUANTIZATIONS = ("F16", "Q8_0", "Q5_K_M", "Q4_K_M")


@dataclass(frozen=True)
class ExportRecipe:
    """Which files are written, and how they are compared (ours)."""

    quantizations: tuple[str, ...] = ("Q8_0", "Q4_K_M", "F16")
    """The first is the one the desk uses; F16, from which the others are made, is always there."""
    posts: int = 40
    """Test posts that every file drafts an answer to."""

    def __post_init__(self) -> None:
        for name in self.quantizations:
            if name not in QUANTIZATIONS:
                raise RecipeError(f"export.quantizations holds {name}; known are {', '.join(QUANTIZATIONS)}.")
        if not self.quantizations:
            raise RecipeError("export.quantizations is empty, but the desk needs a file; name one, such as Q8_0.")


AT_LEAST = (
    ("adapter.rank", 0, "0 stands for no adapter"),
    ("pretrain.steps", 1, "a stage takes a step at least"),
    ("pretrain.batch", 1, "a step needs a window"),
    ("sft.batch", 1, "a step needs an example"),
    ("sft.gradient_accumulation", 1, "1 stands for none"),
    ("reward.batch", 1, "a step needs a triplet"),
    ("grpo.steps", 1, "a stage takes a step at least"),
    ("grpo.posts_per_step", 1, "a step needs a post"),
    ("grpo.group_size", 2, "GRPO compares completions within a group"),
    ("grpo.gradient_accumulation", 1, "1 stands for none"),
    ("evaluate.posts", 2, "an interval needs two posts"),
    ("export.posts", 2, "an interval needs two posts"),
)
"""(setting, its least value, why)."""


@dataclass(frozen=True)
class Recipe:
    """One run, all stages."""

    name: str
    seed: int = 42
    tokenizer: TokenizerRecipe = TokenizerRecipe()
    model: ModelRecipe = ModelRecipe()
    adapter: AdapterRecipe = AdapterRecipe()
    pretrain: PretrainRecipe = PretrainRecipe()
    sft: SftRecipe = SftRecipe()
    synthesize: SynthesizeRecipe = SynthesizeRecipe()
    reward: RewardRecipe = RewardRecipe()
    grpo: GrpoRecipe = GrpoRecipe()
    evaluate: EvaluateRecipe = EvaluateRecipe()
    export: ExportRecipe = ExportRecipe()

    def __post_init__(self) -> None:
        for key, least, reason in AT_LEAST:
            section, name = key.split(".")
            value = getattr(getattr(self, section), name)
            if value < least:
                raise RecipeError(f"{key} is {value}, but {reason}; set it to {least} or more.")
        if not -2 < self.reward.margin < 2:
            raise RecipeError(
                f"reward.margin is {self.reward.margin}, but cosines differ by less than 2; set it between -2 and 2."
            )
        if abs(sum(self.reward.negatives.values()) - 1) > 1e-6:
            raise RecipeError(f"reward.negatives add up to {sum(self.reward.negatives.values())}; make it 1.")
