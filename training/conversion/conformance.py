"""Does a GGUF compute what PyTorch computes? Token ids, logits and embeddings over fixed synthetic texts."""

from __future__ import annotations

from pathlib import Path

import llama_cpp
import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModelForCausalLM, AutoTokenizer

from app.chain import Response, prompt_pieces, render, scored_answer, scored_post

POSTS = (
    "考研第三年了，还是不敢跟爸妈说我想放弃\n每天坐在图书馆里，眼睛看着书，脑子里全是他们打电话时的语气。我怕他们失望。",
    "婆婆来带孩子以后，我觉得自己像个外人\n她没说什么重话，可孩子哭了先找她。"
    "我是不是太敏感了？😔 Sometimes I just want to leave.",
    "我儿子十五岁，三个月没去学校了\r\n房门一直锁着，饭放在门口。我不知道该敲门还是该走开……\t晚上两点灯还亮着。",
)
RESPONSE = Response(
    L1="写信人感到疲惫和害怕（“我怕他们失望”）。",
    L2="可能把父母的期待当成了自己唯一的价值。",
    L3="想有人听懂，而不是被催着做决定。",
    L4="先接住疲惫，再一起看看可以先说出口的一句话。",
    answer="读到你坐在图书馆里的样子，我觉得你已经撑了很久。你不必今天就决定放弃还是继续。",
)
TEXTS = (
    *POSTS,
    render(RESPONSE),
    "ｆｕｌｌ－ｗｉｄｔｈ　１２３",
    "e\u0301 n\u0303 👩‍👩‍👧 \u200d \ufe0f",
    "  空格  和\n\n\n换行  ",
    "don't we'll I'M 2026年11月",
)


def open_gguf(path: Path, embedding: bool, context: int) -> llama_cpp.Llama:
    """A GGUF for reading whole texts: logits of every position, or embeddings.

    Args:
        path: the file.
        embedding: whether it is a reward encoder.
        context: the most tokens it reads at once.
    """
    return llama_cpp.Llama(
        str(path),
        n_ctx=context,
        n_batch=context,
        n_ubatch=context,
        embedding=embedding,
        logits_all=not embedding,
        verbose=False,
    )


def _token_ids_equal(tokenizer, model: llama_cpp.Llama, texts: tuple[str, ...], **options: bool) -> float:
    """Share of texts whose ids agree; control tokens typed in a text are text on both sides.

    Released tokenizers normalize first (NFC) and llama.cpp does not, so it is given the normalized text; the desk
    stores every text as NFC.
    """
    normalizer = tokenizer.backend_tokenizer.normalizer
    same = [
        tokenizer(text, split_special_tokens=True, **options)["input_ids"]
        == model.tokenize(
            (normalizer.normalize_str(text) if normalizer else text).encode(),
            add_bos=options["add_special_tokens"],
            special=False,
        )
        for text in texts
    ]
    return float(np.mean(same))


def check_policy(model: Path, path: Path) -> dict[str, float]:
    """Compare a policy GGUF with its checkpoint.

    Returns:
        token_ids_equal (share of texts), max_logit_difference, top1_agreement (share of positions), mean_kl (nats).
    """
    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForCausalLM.from_pretrained(model, dtype="float32").eval()
    engine = open_gguf(path, embedding=False, context=1024)
    differences, agreements, divergences = [], [], []
    for post in POSTS:
        text = "".join(piece.text for piece in prompt_pieces(post)) + render(RESPONSE)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            ours = network(torch.tensor([ids])).logits[0].log_softmax(-1).numpy()  # (T, V)
        engine.reset()
        engine.eval(ids)
        raw = torch.from_numpy(np.array(engine.scores[: len(ids)]))
        theirs = raw.log_softmax(-1).numpy()
        differences.append(np.abs(ours - theirs).max())
        agreements.append((ours.argmax(-1) == theirs.argmax(-1)).mean())
        divergences.append((np.exp(ours) * (ours - theirs)).sum(-1).mean())
    # Tags are user-defined tokens: llama.cpp reads them in any text, so only texts without '<' can agree as plain text.
    plain = tuple(text for text in TEXTS if "<" not in text)
    report = {
        "token_ids_equal": _token_ids_equal(tokenizer, engine, plain, add_special_tokens=False),
        "max_logit_difference": round(float(max(differences)), 5),
        "top1_agreement": round(float(np.mean(agreements)), 4),
        "mean_kl": float(f"{np.mean(divergences):.2g}"),
    }
    engine.close()
    return report


def check_encoder(model: Path, path: Path) -> dict[str, float]:
    """Compare a reward GGUF with its sentence-transformers model.

    Returns:
        token_ids_equal (share of texts), min_cosine and mean_cosine between the two embeddings of a text.
    """
    encoder = SentenceTransformer(str(model), device="cpu")
    engine = open_gguf(path, embedding=True, context=encoder.max_seq_length)
    texts = tuple(scored_post(post) for post in POSTS) + (scored_answer(RESPONSE.answer),)
    ours = encoder.encode(list(texts), normalize_embeddings=True)
    theirs = np.array([engine.embed(text, normalize=True) for text in texts])
    cosine = (ours * theirs).sum(axis=1)
    report = {
        "token_ids_equal": _token_ids_equal(encoder.tokenizer, engine, texts, add_special_tokens=True),
        "min_cosine": round(float(cosine.min()), 5),
        "mean_cosine": round(float(cosine.mean()), 5),
    }
    engine.close()
    return report
