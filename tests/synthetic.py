"""Made-up data in the shape of the public sets: no sentence here was written by or about a real person.

Posts are drawn from short pieces, so that no two resemble each other and no held-out one shares a run of text with a
training post: the corpus builder would join or drop them.
"""

from __future__ import annotations

import json
import lzma
import random
from pathlib import Path

from training.data.records import SPLITS, Split, split_of

# What the post is about (title), and how it feels.
WORRIES = (
    ("考研又差了{n}分，我该怎么跟家里说？", "自责"),
    ("和室友为了{a}冷战{n}天，是我太敏感吗？", "难过"),
    ("领导在群里点了我{n}次名，还要忍多久？", "焦虑"),
    ("女儿关上门{n}天不说话，怎么办？", "担心"),
    ("分手第{n}天还留着{a}，我是不是放不下？", "舍不得"),
    ("存款只剩{n}块，我不敢告诉老公怎么办？", "害怕"),
)
THINGS = (
    "雨伞 台灯 饭盒 围巾 车票 闹钟 毛衣 药盒 课本 钥匙 水杯 拖鞋 相册 耳机 信封 花盆"
    " 被子 日历 镜子 书包 账单 照片 糖纸 手套 门铃 窗帘 纽扣 铅笔 石榴 酱油 邮票 风筝"
    " 木箱 帽子 茶叶 剪刀 口琴 皮球 竹椅 棋盘 画册 枕头 邻居 同事 表姐 房东 班长 阿姨"
).split()
SENTENCES = (
    "我盯着{a}数到{n}，想起{b}。",
    "那天{a}旁边有{n}张{b}，我哭了。",
    "妈妈说{a}比{b}要紧{n}倍。",
    "我把{a}藏进{b}，藏了{n}天。",
    "夜里{n}点，{a}响，我以为是{b}。",
    "有人笑我的{a}，{n}个人，连{b}也笑。",
    "我{feeling}，抱着{a}走了{n}站，丢了{b}。",
    "因为{a}，我欠{b}{n}块钱。",
    "从{a}到{b}，我写了{n}行，又删了。",
    "我不敢看{a}，{b}催了{n}遍。",
    "第{n}次，{a}坏了，{b}也怪我。",
    "我觉得像{a}，被{b}压了{n}年。",
    "爸爸修{a}，修了{n}回，不理{b}。",
    "我梦见{n}个{a}，都在问{b}。",
)
QUESTIONS = ("我{feeling}了{n}天，该怎么办？", "{a}还在，我{feeling}，怎么做才好？", "是不是都怪我，{n}天了？")
ADVICE = (
    "读到{a}和{b}那里，我停了{n}秒，替你{feeling}。",
    "{n}天里你都在扛，{a}也好，{b}也好，没有人帮你拿。",
    "换一个人站在{a}前面，{n}次里有{n}次也会{feeling}。",
    "把{a}和你分开看：{b}坏了，不等于你坏了。",
    "你可以先做一件小事，把{a}放回原处，坐{n}分钟。",
    "不妨写{n}个字给{b}，不急着交，压在{a}下面。",
    "试着告诉{b}，你为{a}难受过{n}个晚上。",
    "{a}的事不在今晚定，过{n}天再看{b}也行。",
    "我不知道{b}怎么想，可你写{a}写得那样细，我信你。",
    "如果夜里又想起{a}，数{n}下，喝口水，再看看{b}。",
    "你问的不只是{a}，也在问{b}还肯不肯留你{n}年。",
)
POSTS: dict[Split, int] = {"train": 68, "valid": 6, "test": 6}


def write_sets(folder: Path) -> Path:
    """Write the three sets that the training package reads; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with lzma.open(folder / "smilechat.jsonl.xz", "wt", encoding="utf-8") as out:
        for number, group in enumerate(_groups()):
            for answer in range(2):
                item = {"id": 2 * number + answer, "group": group, "turns": turns(number, answer)}
                out.write(json.dumps(item, ensure_ascii=False) + "\n")
    with lzma.open(folder / "cpsycound.jsonl.xz", "wt", encoding="utf-8") as out:
        out.write(json.dumps({"id": 0, "turns": turns(1000)}, ensure_ascii=False) + "\n")
    with lzma.open(folder / "emollm-dialogues.json.xz", "wt", encoding="utf-8") as out:
        json.dump(
            [{"conversation": [{"input": "你好", "output": "多喝水，早点休息，保持好心情。"}]}], out, ensure_ascii=False
        )
    return folder


def turns(number: int, answer: int = 0) -> list[dict[str, str]]:
    """Dialogue number `answer` about post `number`: the post in the client's first turn, the answer in two turns."""
    advice = written(ADVICE, f"{number} {answer}", len(ADVICE))
    return [
        {"role": "client", "content": post(number)},
        {"role": "counselor", "content": "".join(advice[:6])},
        {"role": "client", "content": "我想听听该怎么做。"},
        {"role": "counselor", "content": "".join(advice[6:])},
        {"role": "client", "content": "谢谢。"},
        {"role": "counselor", "content": "不客气，愿你今晚睡个好觉。"},
    ]


def post(number: int) -> str:
    """A post of about 230 characters whose first sentence is its title; another number, another post."""
    worry, feeling = WORRIES[number % len(WORRIES)]
    title = written((worry,), f"{number} title", 1, feeling)
    return "".join(title + written(SENTENCES, f"{number}", 13, feeling) + written(QUESTIONS, f"{number}?", 1, feeling))


def written(templates: tuple[str, ...], seed: str, count: int, feeling: str = "难过") -> list[str]:
    """`count` different templates in an order drawn from the seed, filled with what the seed draws."""
    draw = random.Random(seed)
    sentences = []
    for template in draw.sample(templates, count):
        a, b = draw.sample(THINGS, 2)
        sentences.append(template.format(a=a, b=b, n=draw.randrange(11, 999), feeling=feeling))
    return sentences


def _groups() -> list[str]:
    """Names of groups that fall into the splits as `POSTS` asks."""
    named: dict[Split, list[str]] = {split: [] for split in SPLITS}
    number = 0
    while any(len(named[split]) < POSTS[split] for split in SPLITS):
        group = f"group-{number}"
        if len(named[split_of(group)]) < POSTS[split_of(group)]:
            named[split_of(group)].append(group)
        number += 1
    return [group for split in SPLITS for group in named[split]]
