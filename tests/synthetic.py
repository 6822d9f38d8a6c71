"""Made-up data in the shape of the public sets: no sentence here was written by or about a real person."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

WORRIES = (
    (
        "考研第二次失败以后，我该怎么跟家里说？",
        "考试成绩出来那天，我把手机关了一整夜。妈妈总是说没关系，可我听得出她很失望",
        "自责",
    ),
    (
        "和室友冷战了一个月，是我太敏感吗？",
        "她们聊天的时候会突然停下来，朋友圈里也没有我。我一个人去食堂，觉得很孤独",
        "难过",
    ),
    (
        "领导每天在群里点名，我快撑不住了？",
        "上班的路上心跳得很快，同事都说忍一忍就过去了。因为房贷，我不敢辞职",
        "焦虑",
    ),
    (
        "孩子上初二以后不肯跟我说话，怎么办？",
        "女儿回家就关上门，饭也端进房间。从来不是这样的孩子，我很害怕自己做错了什么",
        "担心",
    ),
)
FEELINGS = (
    "我感到{feeling}，晚上也睡不着，不知道该跟谁说。有时候会想是不是都怪我，"
    "如果当初多做一点，事情会不会不一样。第{number}天了，还是这样。"
)
ADVICE = (
    "读到你说的这些，我想先停一停：能把它写出来，已经很不容易。你的{feeling}不是没有来由的，换一个人站在那里，也会难受。",
    "我注意到你反复想是不是自己的错。也许可以试着把事情和你这个人分开看：事情没有做成，不等于你没有用。",
    "如果愿意，你可以先做一件很小的事，比如今晚把最想说的一句话写在纸上，不急着给谁看。第{number}次写，也许会和第一次不同。",
    "不客气，愿你今晚睡个好觉。",
)


def write_sets(folder: Path, dialogues: int = 160) -> Path:
    """Write the three sets that the training package reads; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with lzma.open(folder / "smilechat.jsonl.xz", "wt", encoding="utf-8") as out:
        for number in range(dialogues):
            out.write(json.dumps(_dialogue(number), ensure_ascii=False) + "\n")
    with lzma.open(folder / "cpsycound.jsonl.xz", "wt", encoding="utf-8") as out:
        out.write(json.dumps({"id": 0, "turns": _dialogue(dialogues)["turns"]}, ensure_ascii=False) + "\n")
    with lzma.open(folder / "emollm-dialogues.json.xz", "wt", encoding="utf-8") as out:
        json.dump(
            [{"conversation": [{"input": "你好", "output": "多喝水，早点休息，保持好心情。"}]}], out, ensure_ascii=False
        )
    return folder


def _dialogue(number: int) -> dict:
    title, story, feeling = WORRIES[number % len(WORRIES)]
    more = FEELINGS.format(feeling=feeling, number=number)
    advice = [line.format(feeling=feeling, number=number) for line in ADVICE]
    turns = [
        {"role": "client", "content": f"{title}{story}。{more}{more}"},
        {"role": "counselor", "content": advice[0] + advice[1]},
    ]
    turns += [
        {"role": "client", "content": "我想听听该怎么做。"},
        {"role": "counselor", "content": advice[2] + advice[0]},
    ]
    turns += [{"role": "client", "content": "谢谢。"}, {"role": "counselor", "content": advice[3]}]
    return {"id": number, "group": f"group-{number // 2}", "turns": turns}
