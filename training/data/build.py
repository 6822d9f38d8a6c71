"""The corpus: sets in, `train.jsonl`, `valid.jsonl`, `test.jsonl` and `corpus.json` out.

Two passes. The first reads each set line by line and writes one line of work per item, so a killed build goes on where
it stopped. The second joins what belongs together, labels, splits and proves the split; it takes seconds, so it begins
anew.
"""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from app.safety import deidentify, names
from app.safety.deidentify import find, mask
from training.data import filters, letters, sources
from training.data.duplicates import distinct, families
from training.data.filters import accept
from training.data.letters import letter_of
from training.data.records import SPLITS, DataError, Dialogue, Record, Split, from_values, read_records, to_line
from training.data.seed_chains import read_seed_chains
from training.data.sources import SOURCES, Item, Malformed
from training.data.split import split_of_family, without_leaks
from training.data.topics import label_all, taxonomy

Tell = Callable[[str], None]
PROGRESS_S = 5.0
RULES = (deidentify, names, filters, letters, sources)
"""Where the rules of the first pass stand."""
ORIGINS = ("written", "opening", "joined")
"""Best first: which post of a family stands for it."""


def sets_in(folder: Path) -> dict[str, Path]:
    """The sets that lie in a folder under their own names: `smilechat.jsonl.xz`, `psyqa.json`, `own.csv`, `cpsycound/`.

    Raises:
        DataError: if there is none.
    """
    found = {}
    for name in SOURCES:
        candidates = [folder / f"{name}{ending}" for ending in (".jsonl.xz", ".jsonl", ".json", ".csv", "")]
        if path := next((path for path in candidates if path.exists()), None):
            found[name] = path
    if not found:
        places = "; ".join(f"{name} ({source.published})" for name, source in SOURCES.items())
        raise DataError(f"{folder} holds none of the sets under their names: {places}.")
    return found


def build(sets: Mapping[str, Path], out: Path, tell: Tell) -> dict[str, Any]:
    """Build the corpus of `sets` (name -> file or folder) in `out`; returns what `corpus.json` holds.

    Raises:
        DataError: for no set at all, a name that is no set, or a path that is not there.
    """
    if not sets:
        raise DataError("No set was given; give --data with a folder of sets, or --set.")
    for name, path in sets.items():
        if name not in SOURCES:
            raise DataError(f"{name} is not a set; known are {', '.join(SOURCES)}.")
        if not path.exists():
            raise DataError(f"{path} is not there; give the file or folder of {name}.")
    work = out / "work"
    work.mkdir(parents=True, exist_ok=True)
    summary: dict[str, Any] = {"sets": {}}
    records: list[Record] = []
    for name, path in sets.items():
        seconds = _read_set(name, path, work / f"{name}.jsonl", tell)
        kept, counts = _taken(work / f"{name}.jsonl")
        records += kept
        summary["sets"][name] = counts | seconds
    began = time.monotonic()
    gc.freeze()  # the records stay to the end; looking through them again and again costs a tenth of the time
    by_split = _split(_join(records, summary, tell), summary)
    _note_memory(summary)
    for split in SPLITS:
        partial = out / f"{split}.jsonl.partial"
        with partial.open("w", encoding="utf-8") as lines:
            lines.writelines(map(to_line, by_split[split]))
        partial.replace(out / f"{split}.jsonl")
    summary["second_pass_s"] = round(time.monotonic() - began, 1)
    summary["items_a_second"] = _rate(summary)
    (out / "corpus.json").write_text(json.dumps(summary, ensure_ascii=False, indent=1), "utf-8")
    return summary


def _rate(summary: Mapping[str, Any]) -> int:
    """Items a second over both passes, de-identification left out; what an earlier build had read does not count."""
    counts = summary["sets"].values()
    seconds = sum(c["seconds"] - c["of_these_deidentifying_s"] for c in counts) + summary["second_pass_s"]
    return round(sum(c["items"] - c["resumed_after"] for c in counts) / max(seconds, 0.1))


def _note_memory(summary: dict[str, Any]) -> None:
    resident = round(psutil.Process().memory_info().rss / 2**20)
    summary["peak_mb"] = max(resident, summary.get("peak_mb", 0))


def read_corpus(folder: Path, split: Split) -> Iterator[Record]:
    """The records of a split.

    Raises:
        DataError: if no corpus was built in `folder`.
    """
    path = folder / f"{split}.jsonl"
    if not path.exists():
        raise DataError(f"{path} is not there; build the corpus first (python -m training.data build).")
    return read_records(path)


# The first pass: a set -> lines of work


def _read_set(name: str, path: Path, work: Path, tell: Tell) -> dict[str, float]:
    """Bring the work file of one set to its end; returns the seconds it took."""
    done = _resume(work, f"{path.resolve()} {_stamp(path)} {_rules()}")
    if done:
        tell(f"{name}: going on after {done:,} items")
    began = last = time.monotonic()
    deidentifying = 0.0
    with work.open("a", encoding="utf-8") as lines:
        for number, item in enumerate(SOURCES[name].read(path), 1):
            if number <= done:
                continue
            line, seconds = _worked(item)
            deidentifying += seconds
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")
            if time.monotonic() - last > PROGRESS_S:
                last = time.monotonic()
                tell(f"{name}: {number:,} items, {(number - done) / (last - began):,.0f} a second")
    seconds = time.monotonic() - began
    return {
        "resumed_after": done,
        "seconds": round(seconds, 1),
        "of_these_deidentifying_s": round(deidentifying, 1),
    }


def _stamp(path: Path) -> str:
    """Size and last change of a set, which tell whether it is still the one that was read."""
    found = [file.stat() for file in ([path] if path.is_file() else path.iterdir())]
    return f"{len(found)} {sum(file.st_size for file in found)} {max((file.st_mtime_ns for file in found), default=0)}"


def _rules() -> str:
    """A name for the rules of the first pass: what other rules have worked is worked again."""
    texts = (Path(module.__file__ or "").read_bytes() for module in RULES)
    return hashlib.sha256(b"".join(texts)).hexdigest()[:12]


def _resume(work: Path, identity: str) -> int:
    """How many items the work file holds; it is cut after its last whole line, or begun anew for another set."""
    header = json.dumps({"made_from": identity}, ensure_ascii=False) + "\n"
    held = work.read_bytes() if work.exists() else b""
    if not held.startswith(header.encode()):
        work.write_text(header, "utf-8")
        return 0
    whole = held[: held.rfind(b"\n") + 1]
    work.write_bytes(whole)
    return whole.count(b"\n") - 1


def _worked(item: Item) -> tuple[dict[str, Any], float]:
    """The line of work for an item, and the seconds that de-identification took."""
    if isinstance(item, Malformed):
        return {"malformed": str(item)}, 0.0
    record = letter_of(item, SOURCES[item.source].licence) if isinstance(item, Dialogue) else item
    accepted = accept(record)
    if isinstance(accepted, str):
        return {"refused": accepted}, 0.0
    began = time.monotonic()
    masked: Counter[str] = Counter()
    clean = dataclasses.replace(
        accepted,
        title=_masked(accepted.title, masked),
        description=_masked(accepted.description, masked),
        responses=tuple(_masked(text, masked) for text in accepted.responses),
    )
    seconds = time.monotonic() - began
    return {"record": vars(clean), "masked": masked}, seconds


def _masked(text: str, counts: Counter[str]) -> str:
    findings = find(text)
    counts.update(finding.kind for finding in findings)
    return mask(text, findings)


def _taken(work: Path) -> tuple[list[Record], dict[str, Any]]:
    """The records of a finished work file, and the counts of everything in it."""
    records: list[Record] = []
    refused, masked, malformed = Counter[str](), Counter[str](), []
    with work.open(encoding="utf-8") as lines:
        next(lines)
        for line in map(json.loads, lines):
            if "record" in line:
                records.append(from_values(line["record"]))
                masked.update(line["masked"])
            elif "refused" in line:
                refused[line["refused"]] += 1
            else:
                malformed.append(line["malformed"])
    return records, {
        "items": len(records) + refused.total() + len(malformed),
        "kept": len(records),
        "refused": dict(refused.most_common()),
        "malformed": malformed,
        "masked": dict(masked.most_common()),
    }


# The second pass: records -> families -> splits


def _join(records: list[Record], summary: dict[str, Any], tell: Tell) -> list[tuple[Record, Split]]:
    """One record a family, with its split; labelled."""
    tell(f"{len(records):,} records: looking for near-duplicates")
    members: dict[int, list[Record]] = defaultdict(list)
    for record, head in zip(records, families((r.group, r.description) for r in records), strict=True):
        members[head].append(record)
    _note_memory(summary)
    joined = [_joined(family) for family in members.values()]
    tell(f"{len(joined):,} posts: labelling topics")
    summary["records"] = len(records)
    summary["posts"] = len(joined)
    summary["responses_pooled"] = sum(len(record.responses) for record in records)
    summary["responses_kept"] = sum(len(record.responses) for record, _ in joined)
    chains = [((chain.title, chain.description), chain.topic) for chain in read_seed_chains() if chain.language == "zh"]
    labels = label_all([(record.title, record.description) for record, _ in joined], chains)
    _note_memory(summary)
    return [
        (record if record.topic in taxonomy() else dataclasses.replace(record, topic=topic, subtopic=subtopic), split)
        for (record, split), (topic, subtopic) in zip(joined, labels, strict=True)
    ]


def _joined(family: list[Record]) -> tuple[Record, Split]:
    """The best post of a family with every different answer that its own set gives to it."""
    best = min(family, key=lambda record: (ORIGINS.index(record.origin), -len(record.description)))
    pooled = [text for record in family if record.source == best.source for text in record.responses]
    return dataclasses.replace(best, responses=tuple(distinct(pooled))), split_of_family(r.group for r in family)


def _split(joined: list[tuple[Record, Split]], summary: dict[str, Any]) -> dict[Split, list[Record]]:
    by_split: dict[Split, list[Record]] = {split: [] for split in SPLITS}
    for record, split in joined:
        by_split[split].append(record)
    kept, leakage = without_leaks(by_split)
    summary["splits"] = {split: len(records) for split, records in kept.items()}
    summary["leakage"] = dataclasses.asdict(leakage)
    return kept
