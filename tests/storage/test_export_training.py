"""Each kind of export loads in `datasets` and feeds the trainer it is for, one step of it."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest

from app.chain import Response
from storage.exports.write import export
from storage.store import Store
from tests.curated import EDITION, add_draft, decide, let_leave

pytest.importorskip("trl")

from datasets import load_dataset  # noqa: E402
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments  # noqa: E402
from sentence_transformers.cross_encoder import (  # noqa: E402
    CrossEncoder,
    CrossEncoderTrainer,
    CrossEncoderTrainingArguments,
)
from sentence_transformers.cross_encoder.losses import ListMLELoss  # noqa: E402
from sentence_transformers.sentence_transformer.losses import TripletLoss  # noqa: E402
from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: E402
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer  # noqa: E402

from tests.tiny_qwen import write_qwen  # noqa: E402
from training.reward import load_encoder  # noqa: E402


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with every kind in both forms, and a tiny model."""
    folder = tmp_path_factory.mktemp("exports")
    store = Store.open(folder / "data")
    for number in range(4):
        chain = ("累，因为加班", "怕让人失望", "想被听见", f"第 {number} 封，先接住疲惫")
        text = partial(Response, *chain)
        draft = add_draft(store, f"来信{number}", "每天加班到很晚。", text("模型写的回信"))
        decide(store, draft, text("改过的回信"))
        let_leave(store, draft.id)
        rejected = add_draft(store, "", "", text("模型写的"), draft.post.id)
        decide(store, rejected, text("不采用的"), "reject")
        let_leave(store, rejected.id)
    for kind in ("sft", "dpo", "kto", "reward", "ranking"):
        export(store, kind, folder / f"{kind}.jsonl", edition=EDITION)
        export(store, kind, folder / f"{kind}.parquet", edition=EDITION, form="parquet")
    store.close()
    model = write_qwen(folder / "model", ["每天加班到很晚。改过的回信"])
    return SimpleNamespace(folder=folder, model=model)


def data(made, kind, form="json"):
    name = f"{kind}.{'jsonl' if form == 'json' else form}"
    return load_dataset(form, data_files=str(made.folder / name), split="train", cache_dir=str(made.folder / "cache"))


@pytest.mark.parametrize("kind", ["sft", "dpo", "kto", "reward", "ranking"])
def test_both_forms_hold_the_same_records(made, kind):
    lines, columns = data(made, kind), data(made, kind, "parquet")
    assert len(lines) > 0
    assert lines.to_list() == columns.to_list()
    assert lines.features == columns.features


ONE_STEP = {"max_steps": 1, "per_device_train_batch_size": 2, "use_cpu": True, "bf16": False, "logging_steps": 1}


@pytest.mark.parametrize(
    ("kind", "trainer", "config"),
    [("sft", SFTTrainer, SFTConfig), ("dpo", DPOTrainer, DPOConfig), ("kto", KTOTrainer, KTOConfig)],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_trainer_takes_a_step_with_it(made, tmp_path, kind, trainer, config):
    args = config(output_dir=str(tmp_path), max_length=600, activation_checkpointing=False, **ONE_STEP)
    one = trainer(model=str(made.model), args=args, train_dataset=data(made, kind, "parquet"))
    assert one.train().training_loss > 0


def test_the_reward_models_trainer_takes_a_step_with_it(made, tmp_path):
    encoder = load_encoder(made.model, 64)
    args = SentenceTransformerTrainingArguments(output_dir=str(tmp_path), **ONE_STEP)
    rows = data(made, "reward", "parquet")
    assert rows.column_names == ["post", "answer", "negative"]
    one = SentenceTransformerTrainer(model=encoder, args=args, train_dataset=rows, loss=TripletLoss(encoder))
    assert one.train().training_loss > 0


def test_the_trainer_of_a_ranker_takes_a_step_with_it(made, tmp_path):
    head = AutoModelForSequenceClassification.from_pretrained(made.model, num_labels=1, dtype="float32", pad_token_id=0)
    head.save_pretrained(tmp_path / "ranker")
    AutoTokenizer.from_pretrained(made.model).save_pretrained(tmp_path / "ranker")
    ranker = CrossEncoder(str(tmp_path / "ranker"), device="cpu")
    args = CrossEncoderTrainingArguments(output_dir=str(tmp_path), **ONE_STEP)
    rows = data(made, "ranking", "parquet")
    one = CrossEncoderTrainer(model=ranker, args=args, train_dataset=rows, loss=ListMLELoss(ranker))
    assert one.train().training_loss > 0
