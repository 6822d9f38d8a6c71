"""The reward model: an encoder over (post, answer) trained with the triplet loss of Eq. 5 on our own pretrained body.

Deviation: copied posts stand among the negatives and the two roles carry different prefixes (`app.chain.scored_post`);
with the paper's three kinds of negatives and one symmetric encoder, an answer that copies the post would score 1.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path

import numpy as np
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import TripletDistanceMetric, TripletLoss
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from tokenizers.processors import TemplateProcessing

from app.chain import scored_answer, scored_post
from training.data.seed_chains import read_seed_chains, read_triples
from training.data.sources import read_generic_answers
from training.device import device
from training.pairs import Pair, corpus_pairs
from training.recipe import Recipe
from training.stage import run_trainer, stage_settings
from training.weak_chains import emotions_of

HELD_OUT_POSTS = 400
EMOLLM = "emollm-dialogues.json.xz"
Triplet = dict[str, str]


class Negatives:
    """Draws answers that do not fit a post, by kind.

    irrelevant: the answer to a post of another topic. mismatched: the answer to a post of the same topic with other
    emotions. generic: a reply that would fit anybody. echo: the post itself.
    """

    def __init__(self, pairs: list[Pair], generic: list[str]):
        self.generic = generic
        self.by_topic: dict[str, list[Pair]] = defaultdict(list)
        for pair in pairs:
            self.by_topic[pair.topic].append(pair)
        self.pairs = pairs

    def draw(self, kind: str, pair: Pair, rng: random.Random) -> str:
        """One negative of a kind for a pair.

        Raises:
            ValueError: for a kind that is none of the four.
        """
        match kind:
            case "generic":
                return rng.choice(self.generic)
            case "echo":
                return pair.description
            case "irrelevant":
                return self._other(self.pairs, pair, rng, lambda other: other.topic != pair.topic)
            case "mismatched":
                felt = {emotion for emotion, _ in emotions_of(pair.post)}
                same_topic = self.by_topic[pair.topic]
                return self._other(
                    same_topic, pair, rng, lambda other: not felt & {name for name, _ in emotions_of(other.post)}
                )
        raise ValueError(f"{kind} is not a kind of negative; use irrelevant, mismatched, generic or echo.")

    @staticmethod
    def _other(pool: list[Pair], pair: Pair, rng: random.Random, fits) -> str:
        candidate = pair
        for _ in range(50):
            candidate = rng.choice(pool)
            if candidate.group != pair.group and fits(candidate):
                break
        return candidate.answer


def triplets(pairs: list[Pair], negatives: Negatives, shares: dict[str, float], count: int, seed: int) -> list[Triplet]:
    """`count` (anchor, positive, negative) rows with role prefixes, kinds drawn by their shares."""
    rng = random.Random(seed)
    kinds, weights = list(shares), list(shares.values())
    rows = []
    for number in range(count):
        pair = pairs[number % len(pairs)]
        kind = rng.choices(kinds, weights)[0]
        rows.append(
            {
                "anchor": scored_post(pair.post),
                "positive": scored_answer(pair.answer),
                "negative": scored_answer(negatives.draw(kind, pair, rng)),
            }
        )
    return rows


def seed_triplets() -> list[Triplet]:
    """Rows from the hand-written triples: each chain's answer above its mismatched, generic and echoing ones."""
    chains = {chain.id: chain for chain in read_seed_chains()}
    return [
        {
            "anchor": scored_post(chains[triple.id].post),
            "positive": scored_answer(chains[triple.id].answer),
            "negative": scored_answer(wrong),
        }
        for triple in read_triples()
        for wrong in (triple.mismatched, triple.generic, triple.echo)
    ]


def load_encoder(body: Path, length: int) -> SentenceTransformer:
    """The encoder: the body with last-token pooling; every text ends in the end token, also when it is cut."""
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


def cosines(encoder: SentenceTransformer, posts: list[str], answers: list[str]) -> np.ndarray:
    """Score (N,) of each pair, role prefixes added here."""
    left = encoder.encode([scored_post(post) for post in posts], normalize_embeddings=True, batch_size=32)
    right = encoder.encode([scored_answer(answer) for answer in answers], normalize_embeddings=True, batch_size=32)
    return (left * right).sum(axis=1)


def choose_threshold(positive: np.ndarray, negative: np.ndarray) -> tuple[float, float]:
    """T and its balanced accuracy: the cut that best separates held-out answers from negatives (ours)."""
    candidates = np.unique(np.concatenate([positive, negative]))
    accuracy = [((positive >= cut).mean() + (negative < cut).mean()) / 2 for cut in candidates]
    best = int(np.argmax(accuracy))
    return float(candidates[best]), float(accuracy[best])


def measure(encoder: SentenceTransformer, pairs: list[Pair], generic: list[str], seed: int) -> dict:
    """The reward model's card: threshold, quantiles of human answers, and accuracy against each kind of negative.

    Accuracy is the share of posts whose own answer scores above the negative.
    """
    rng = random.Random(seed)
    negatives = Negatives(pairs, generic)
    posts = [pair.post for pair in pairs]
    positive = cosines(encoder, posts, [pair.answer for pair in pairs])
    report: dict = {"held_out_posts": len(pairs), "pairwise_accuracy": {}}
    wrong = []
    for kind in ("irrelevant", "mismatched", "generic", "echo"):
        negative = cosines(encoder, posts, [negatives.draw(kind, pair, rng) for pair in pairs])
        report["pairwise_accuracy"][kind] = round(float((positive > negative).mean()), 4)
        wrong.append(negative)
    threshold, accuracy = choose_threshold(positive, np.concatenate(wrong))
    report["threshold"] = round(threshold, 4)
    report["balanced_accuracy"] = round(accuracy, 4)
    report["human_quantiles"] = [round(float(q), 4) for q in np.quantile(positive, np.linspace(0, 1, 101))]
    return report


def train_reward(recipe: Recipe, data: Path, run: Path) -> None:
    """Train the encoder on top of the pretrained body; writes `run/reward/model` and `run/reward/report.json`."""
    settings = recipe.reward
    train = corpus_pairs(run, "train")
    random.Random(recipe.seed).shuffle(train)
    generic = read_generic_answers(data / EMOLLM)

    out = run / "reward"
    encoder = load_encoder(run / "pretrain" / "model", settings.length)
    rows = triplets(train, Negatives(train, generic), settings.negatives, settings.triplets, recipe.seed)
    rows += seed_triplets()
    random.Random(recipe.seed).shuffle(rows)
    trainer = SentenceTransformerTrainer(
        model=encoder,
        train_dataset=Dataset.from_list(rows),
        loss=TripletLoss(encoder, TripletDistanceMetric.COSINE, settings.margin),
        args=SentenceTransformerTrainingArguments(
            **stage_settings(out, recipe.seed, settings.save_every),
            num_train_epochs=settings.epochs,
            per_device_train_batch_size=settings.batch,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=0.05,
            bf16=True,
        ),
    )
    run_trainer(trainer, out)
    encoder.save(str(out / "model"), create_model_card=False)
    held_out = corpus_pairs(run, "valid") + corpus_pairs(run, "test")
    one_per_post = list({pair.group: pair for pair in held_out}.values())[:HELD_OUT_POSTS]
    report = measure(encoder, one_per_post, generic, recipe.seed)
    (out / "report.json").write_text(json.dumps(report, indent=1), "utf-8")


def load_trained(run: Path) -> tuple[SentenceTransformer, float]:
    """The trained encoder of a run and its threshold T."""
    report = json.loads((run / "reward" / "report.json").read_text("utf-8"))
    return SentenceTransformer(str(run / "reward" / "model"), device=str(device())), report["threshold"]
