"""The reward model: an encoder of posts and answers, trained so that a post lies nearer to its answers than to others.

Deviation: copied posts stand among the negatives and the two roles carry different prefixes (`app.chain.scored_post`);
with the paper's three kinds of negatives and one symmetric encoder, an answer that copies the post would score 1.
Deviation: beside Eq. 5 (`reward.loss: triplet`) there is a contrastive loss: Eq. 5, and in addition a post's answer has
to score above every other answer of the batch.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, DatasetDict
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer.losses import (
    MultipleNegativesRankingLoss,
    TripletDistanceMetric,
    TripletLoss,
)
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn

from training.checkpoint import base_model, local_checkpoint
from training.data.sources import read_generic_answers
from training.device import device
from training.measure.reward import draw_roc, embed, measure
from training.negatives import ALIKE, ROLES, Marks, Negatives, Triplet, drawn_triplets, in_batches, seed_triplets
from training.pairs import corpus_pairs
from training.recipe import Recipe, RewardRecipe
from training.stage import run_trainer, stage_settings

EMOLLM = "emollm-dialogues.json.xz"


def load_encoder(body: Path, length: int) -> SentenceTransformer:
    """The encoder: a Qwen3-architecture body with last-token pooling; every text ends in the end token, also when cut.

    Args:
        body: folder of the body; the head of a language model is left out.
        length: tokens that are read of a text, the end token included.
    """
    # Named because a tokenizer with a chat template would otherwise have every text wrapped as a user's message.
    text_only = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
    transformer = Transformer(
        str(body),
        max_seq_length=length,
        modality_config=text_only,
        module_output_name="token_embeddings",
        model_kwargs={"dtype": "float32"},
    )
    tokenizer = transformer.tokenizer
    tokenizer.chat_template = None
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"$A {tokenizer.eos_token}", special_tokens=[(tokenizer.eos_token, tokenizer.eos_token_id)]
    )
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="lasttoken")
    return SentenceTransformer(modules=[transformer, pooling], device=str(device()))


def cosines(encoder: SentenceTransformer, posts: list[str], answers: list[str], marks: Marks = ROLES) -> np.ndarray:
    """Score (N,) of each pair, role prefixes added here."""
    left = embed(encoder, [marks.post(post) for post in posts])
    right = embed(encoder, [marks.answer(answer) for answer in answers])
    return (left * right).sum(axis=1)


def nearness(left: Tensor, right: Tensor) -> Tensor:
    """Minus the distance (A, B) of the vectors (A, H) and (B, H) at length 1:  -|l - r| = -sqrt(2 - 2 cos(l, r))

    It ranks as the cosine does. But the cosine is flat where two vectors are the same, and a post and its copy, which
    differ by a prefix alone, start there (0.9999 in a pretrained body): in a loss of cosines they stay together.
    """
    units = (nn.functional.normalize(vectors.float(), dim=1) for vectors in (left, right))
    # Through a matrix product, distances as small as these would drown in rounding.
    return -torch.cdist(*units, compute_mode="donot_use_mm_for_euclid_dist")


def reward_loss(settings: RewardRecipe, encoder: SentenceTransformer) -> nn.Module:
    """The loss of a batch of B triplets (q, a, n).

    triplet, Eq. 5 of the paper:  mean_i max(0, m - cos(q_i, a_i) + cos(q_i, n_i))
    contrastive (ours), beside Eq. 5, scale s, d the distance, over all answers and negatives of the batch, and over all
    its posts:  -1/2 mean_i [log softmax_a(-s d(q_i, a))_i + log softmax_q(-s d(q, a_i))_i]
    """
    triplet = TripletLoss(encoder, TripletDistanceMetric.COSINE, settings.margin)
    return triplet if settings.loss == "triplet" else Contrastive(encoder, settings.scale, triplet)


class Contrastive(MultipleNegativesRankingLoss):
    """The batch's part of the contrastive loss, and Eq. 5 where a post has a negative of its own."""

    def __init__(self, encoder: SentenceTransformer, scale: float, triplet: TripletLoss):
        super().__init__(
            encoder,
            scale=scale,
            similarity_fct=nearness,
            directions=("query_to_doc", "doc_to_query"),
            partition_mode="per_direction",
        )
        self.triplet = triplet

    def compute_loss_from_embeddings(self, embeddings: list[Tensor], labels: Tensor) -> Tensor:
        """Of the vectors (B, H) of posts, answers and, where there are any, negatives."""
        among_all = super().compute_loss_from_embeddings(embeddings, labels)
        if len(embeddings) < 3:
            return among_all
        return among_all + self.triplet.compute_loss_from_embeddings(embeddings, labels)


Batches = dict[tuple[str, ...], list[list[int]]]
"""Row numbers of each batch of a data set, which is named by its columns."""


class FixedBatches(DefaultBatchSampler):
    """Hands out batches that were put together before."""

    def __init__(self, dataset: Dataset, batches: Batches, **settings: Any):
        super().__init__(dataset, **settings)
        self.batches = batches[tuple(dataset.column_names)]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def reward_arguments(recipe: Recipe, out: Path, batches: Batches) -> SentenceTransformerTrainingArguments:
    """What the trainer is told; one pass over the batches."""
    settings = recipe.reward
    return SentenceTransformerTrainingArguments(
        **stage_settings(out, recipe.seed, settings.save_every),
        num_train_epochs=1,
        per_device_train_batch_size=settings.batch,
        batch_sampler=partial(FixedBatches, batches=batches),
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=0.05,
        bf16=True,
    )


def train_reward(recipe: Recipe, data: Path, run: Path) -> None:
    """Train the encoder; writes `run/reward/model`, and the card's figures as `report.json` and `roc.png` beside it."""
    settings = recipe.reward
    marks = ROLES if settings.role_prefixes else ALIKE
    train = corpus_pairs(run, "train")
    random.Random(recipe.seed).shuffle(train)
    generic = sorted(set(read_generic_answers(data / EMOLLM)))
    shown, held_out = [reply for i, reply in enumerate(generic) if i % 50] or generic, generic[::50]

    out = run / "reward"
    body = local_checkpoint(settings.encoder) if settings.encoder else base_model(recipe, run)
    encoder = load_encoder(body, settings.length)
    rows = drawn_triplets(Negatives(train, shown), settings, marks, recipe.seed)
    rows += settings.seed_triples * seed_triplets(marks)
    # A data set of pairs and one of triplets: the trainer mixes their batches.
    parts: dict[tuple[str, ...], list[Triplet]] = defaultdict(list)
    for row in rows:
        parts[tuple(row.texts)].append(row)
    batches = {columns: in_batches(part, settings.batch, recipe.seed) for columns, part in parts.items()}
    trainer = SentenceTransformerTrainer(
        model=encoder,
        train_dataset=DatasetDict(
            {"-".join(columns): Dataset.from_list([row.texts for row in part]) for columns, part in parts.items()}
        ),
        loss=reward_loss(settings, encoder),
        args=reward_arguments(recipe, out, batches),
    )
    run_trainer(trainer, out)
    if not trainer.is_world_process_zero():
        return
    encoder.save(str(out / "model"), create_model_card=False)
    report, scores = measure(encoder, corpus_pairs(run, "valid"), corpus_pairs(run, "test"), held_out, marks)
    (out / "report.json").write_text(json.dumps(report, indent=1), "utf-8")
    draw_roc(scores, report["threshold"], out / "roc.png")


def load_trained(run: Path) -> tuple[SentenceTransformer, float]:
    """The trained encoder of a run and its threshold T."""
    report = json.loads((run / "reward" / "report.json").read_text("utf-8"))
    return SentenceTransformer(str(run / "reward" / "model"), device=str(device())), report["threshold"]
