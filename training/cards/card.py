"""Model cards: a Hugging Face README a model, written from what the run holds; its front matter is the desk's
catalogue entry.

A part of the run that is not there is told as not measured. Pictures and the machine part of the evaluation are copied
beside the card, so that the folder is whole without its run.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from training.cards.bars import bar_table, missed, policy_bars, reward_bars
from training.cards.files import conformance_table, file_table
from training.cards.history import data_section, data_sets, training_section
from training.cards.reward import reward_section, trained_how
from training.quantcheck import policy_table, reward_table
from training.recipe import Recipe

NOT_MEASURED = "Not measured."
COLOURS = 16
"""A picture of curves needs no more, and takes a quarter of the room."""


def write_cards(recipe: Recipe, run: Path, cards: Path) -> None:
    """Write one folder a model, named `<recipe>-<role>`: the GGUF of the recipe's first quantization and the README.

    Raises:
        FileNotFoundError: if the run has no export.
    """
    models = _read(run / "export" / "export.json")
    if models is None:
        raise FileNotFoundError(f"{run} holds no export; run the stage export first.")
    reward = _read(run / "reward" / "report.json")
    shipped = recipe.export.quantizations[0]
    for role, body in {"policy": _policy_body, "reward": _reward_body}.items():
        name = f"{recipe.name}-{role}"
        folder = cards / name
        folder.mkdir(parents=True, exist_ok=True)
        for old in (*folder.glob("*.gguf"), *folder.glob("*.png"), folder / "evaluation.json"):
            old.unlink(missing_ok=True)
        entry = models[role]["files"][shipped]
        file = folder / f"{name}-{shipped}.gguf"
        shutil.copyfile(run / "export" / entry["file"], file)
        matter = _front_matter(recipe, run, role, {**entry, "file": file.name}, reward)
        text = yaml.safe_dump(matter, allow_unicode=True, sort_keys=False, width=120)
        (folder / "README.md").write_text(f"---\n{text}---\n{body(recipe, run, folder, models[role])}", "utf-8")
        shutil.copyfile(run / "recipe.yaml", folder / "recipe.yaml")
    if (run / "evaluate" / "evaluation.json").is_file():
        shutil.copyfile(run / "evaluate" / "evaluation.json", cards / f"{recipe.name}-policy" / "evaluation.json")


def _read(path: Path) -> Any:
    """What a JSON file holds; None where there is none."""
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def titles(recipe: Recipe, role: str) -> dict[str, str]:
    """The model's name on the desk, in both languages."""
    zh, en = {"policy": ("起草模型", "drafting model"), "reward": ("评分模型", "reward model")}[role]
    if recipe.model.checkpoint is None:
        return {"zh": f"共情工作台内置{zh}", "en": f"Bundled {en}"}
    return {"zh": f"共情工作台{zh}（{recipe.model.checkpoint}）", "en": f"{en.capitalize()}, {recipe.model.checkpoint}"}


def _front_matter(recipe: Recipe, run: Path, role: str, file: dict, reward: dict) -> dict:
    entry: dict = {
        "role": role,
        "title": titles(recipe, role),
        **{key: file[key] for key in ("file", "sha256", "size_bytes", "memory_mb")},
        "context_tokens": recipe.model.context_tokens if role == "policy" else recipe.reward.length,
        "data": data_sets(recipe, run),
    }
    if role == "policy":
        entry["reward_model"] = f"{recipe.name}-reward"
    else:
        entry |= {"threshold": reward["threshold"], "human_quantiles": reward["human_quantiles"]}
    matter = {
        "language": ["zh"],
        "license": "apache-2.0",
        "library_name": "llama.cpp",
        "pipeline_tag": "text-generation" if role == "policy" else "sentence-similarity",
        "tags": ["gguf", "qwen3", "mental-health", "chain-of-empathy"],
        "empathy_desk": entry,
    }
    if recipe.model.checkpoint:
        matter["base_model"] = recipe.model.checkpoint
    return matter


def _picture(source: Path, folder: Path, name: str, told: str) -> str:
    """Copy a picture beside the card, in few colours, and show it; nothing where the run has none."""
    if not source.is_file():
        return ""
    with Image.open(source) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(folder / name, optimize=True)
    return f"![{told}]({name})\n"


def _policy_body(recipe: Recipe, run: Path, folder: Path, model: dict) -> str:
    bars = policy_bars(_read(run / "evaluate" / "report.json"))
    told = run / "evaluate" / "report.md"
    checks = _read(run / "export" / "conformance.json")["policy"]
    quantized = _read(run / "export" / "quantcheck.json")
    curves = [
        _picture(run / stage / "curves.png", folder, f"{stage}.png", f"{stage}: every measure over the steps")
        for stage in ("pretrain", "sft", "grpo")
    ]
    origin = f"fine-tuned from {recipe.model.checkpoint}" if recipe.model.checkpoint else "trained from scratch"
    return f"""
# {titles(recipe, "policy")["zh"]} · {titles(recipe, "policy")["en"]}

这是一个约 {model["parameters"] / 1e4:,.0f} 万参数的**示范模型**，只用来展示工作台怎样工作，
**不得用来为真实的求助者起草回信**。它可能编造、自相矛盾、偏离来信；它写的每一稿都要由咨询师改写，再由第二个人审核。
下面的数字都出自这一次训练和评估；没有测过的，写作 not measured。

**A demonstration model of {model["parameters"] / 1e6:.1f} million parameters that shows the desk's work and must not
draft for real people.** It can invent, contradict itself and miss what was written. Nothing it writes may reach a
help-seeker without a counselor's rewriting and a second person's review.

A decoder of the Qwen3 architecture, {origin} by this repository's pipeline: {model["layers"]} layers, width
{model["hidden"]}, vocabulary {model["vocabulary"]:,}. Input is the desk's prompt with one post; output is a chain of
four layers (emotions and context, causes and beliefs, intent, response strategy) and an answer. Method:
arXiv:2509.14851.

## What it reached

{bar_table(bars)}

{missed(bars)}

## Data

{data_section(recipe, run, "policy")}

## Training

{training_section(recipe, run, "policy")}

{"".join(curves) or "No curves were drawn."}
## Evaluation

{told.read_text("utf-8").strip() if told.is_file() else NOT_MEASURED}

{_picture(run / "evaluate" / "systems.png", folder, "systems.png", "every figure between floor and ceiling")}
## The paper's tables

{_tables(run) or NOT_MEASURED}

## Files

{policy_table(quantized) if quantized else f"Quantizations against each other: {NOT_MEASURED.lower()}"}

{conformance_table(checks)}

{file_table(model["files"])}

## Limits

- No person has judged its drafts. All figures above are automatic: overlap with people's answers, and the score of the
  reward model.
- No clinician has vetted what it learned from. It knows nothing of danger; the desk's signals and the people at it do.
- Chinese only. One post at a time; it does not converse.
- Figures are of one run with one seed.
"""


def _tables(run: Path) -> str:
    """What `reproduce` wrote, its titles one level below the card's."""
    return "\n".join(
        path.read_text("utf-8").replace("# ", "### ", 1).strip() + "\n"
        for path in sorted((run / "reproduce").glob("table-*.md"))
    )


def _reward_body(recipe: Recipe, run: Path, folder: Path, model: dict) -> str:
    report = _read(run / "reward" / "report.json")
    bars = reward_bars(report)
    checks = _read(run / "export" / "conformance.json")["reward"]
    quantized = _read(run / "export" / "quantcheck.json")
    body = recipe.reward.encoder or recipe.model.checkpoint or "the policy's pretrained body"
    return f"""
# {titles(recipe, "reward")["zh"]} · {titles(recipe, "reward")["en"]}

这是一个约 {model["parameters"] / 1e4:,.0f} 万参数的**示范模型**：来信和回信各算一个向量，两者的余弦就是工作台的分数。
**分数不是对咨询师工作的评价，也不说明回信是否安全。**
下面的数字都出自这一次训练和评估；没有测过的，写作 not measured。

**A demonstration model of {model["parameters"] / 1e6:.1f} million parameters.** It encodes a post and an answer; the
cosine of the two is the desk's score. Last-token pooling over {body}, {model["layers"]} layers, width
{model["hidden"]}. {trained_how(recipe)}

**What the score is not:** a judgement of a counselor's work, or of safety. It says how closely an answer's vector lies
to its post's, compared with human answers of the same data.

## What it reached

{bar_table(bars)}

{missed(bars)}

## On held-out posts

{reward_section(report)}

{_picture(run / "reward" / "roc.png", folder, "roc.png", "ROC: true answers against negatives")}
## Data

{data_section(recipe, run, "reward")}

## Training

{training_section(recipe, run, "reward")}

{_picture(run / "reward" / "curves.png", folder, "reward.png", "reward: every measure over the steps")}
## Files

{reward_table(quantized) if quantized else f"Quantizations against each other: {NOT_MEASURED.lower()}"}

{conformance_table(checks)}

{file_table(model["files"])}

## Limits

- It learned to tell people's answers from answers to others, general replies and copies. What is fluent, fitting and
  harmful may score high.
- Of a text longer than {recipe.reward.length} tokens it reads the beginning.
- Figures are of one run with one seed.
"""
