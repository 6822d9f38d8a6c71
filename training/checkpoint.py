"""Where a run starts: a released Qwen3 checkpoint, or the model that the run pretrained itself.

Deviation: thinking is off by our own chat template, without the empty think block that Qwen3's template writes; so the
prompt of training equals the desk's, and the tags of the format are plain text in the checkpoint's own vocabulary.
"""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from training.device import device
from training.recipe import Recipe, RecipeError
from training.tokenizer import CHAT_TEMPLATE

END, PAD = "<|im_end|>", "<|endoftext|>"


def local_checkpoint(name: str, revision: str | None = None) -> Path:
    """The folder of a checkpoint: `name` itself, or what was downloaded of it before. Nothing is fetched here.

    Args:
        name: a folder, or an id such as `Qwen/Qwen3-8B`.
        revision: a commit, tag or branch of an id; None is its main branch.

    Raises:
        RecipeError: if `name` is neither a folder nor downloaded.
    """
    if Path(name).is_dir():
        return Path(name)
    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError) as error:
        pin = f" --revision {revision}" if revision else ""
        raise RecipeError(
            f"{name} is neither a folder nor a downloaded checkpoint; fetch it once with `hf download {name}{pin}`."
        ) from error


def base_model(recipe: Recipe, run: Path) -> Path:
    """The folder of the model that SFT fine-tunes and the reward encoder's body is taken from."""
    if recipe.model.checkpoint is None:
        return run / "pretrain" / "model"
    return local_checkpoint(recipe.model.checkpoint, recipe.model.revision)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """A checkpoint's tokenizer with this project's chat template, end token and padding token.

    Raises:
        RecipeError: if it lacks the control tokens of ChatML.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    missing = {"<|im_start|>", END, PAD} - set(tokenizer.get_vocab())
    if missing:
        raise RecipeError(f"{folder.name}: its vocabulary lacks {', '.join(sorted(missing))}; give a Qwen3 checkpoint.")
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.eos_token, tokenizer.pad_token = END, PAD
    return tokenizer


def weights_dtype(recipe: Recipe) -> str:
    """The type that the policy's weights are held in; what a GPU computes with is bfloat16 either way.

    Trained weights stay float32: at the paper's rate of 1e-6 an update is smaller than bfloat16 can add. What an
    adapter leaves frozen needs no such care.
    """
    return "bfloat16" if recipe.adapter.rank and device().type == "cuda" else "float32"
