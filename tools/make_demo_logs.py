"""Make the logs of the demo: the Bill of Rights, as two small language models predict it.

python tools/make_demo_logs.py [folder]

Each amendment is predicted by models that were made from the other nine: one of characters, one of pieces of words.
They smooth as Witten and Bell do (I. H. Witten and T. C. Bell, The zero-frequency problem, IEEE Transactions on
Information Theory 37 (1991), method C, interpolated), down to a uniform distribution of their tokens.
"""

from __future__ import annotations

import gzip
import json
import math
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "src" / "nll" / "data"
START = ""  # what precedes the first token
MERGES = 150
TOP = 3

# The first ten amendments to the Constitution of the United States, ratified on 15 December 1791.
TEXTS = """
Amendment I: Congress shall make no law respecting an establishment of religion, or prohibiting the free exercise
thereof; or abridging the freedom of speech, or of the press; or the right of the people peaceably to assemble, and
to petition the Government for a redress of grievances.

Amendment II: A well regulated Militia, being necessary to the security of a free State, the right of the people to
keep and bear Arms, shall not be infringed.

Amendment III: No Soldier shall, in time of peace be quartered in any house, without the consent of the Owner, nor
in time of war, but in a manner to be prescribed by law.

Amendment IV: The right of the people to be secure in their persons, houses, papers, and effects, against
unreasonable searches and seizures, shall not be violated, and no Warrants shall issue, but upon probable cause,
supported by Oath or affirmation, and particularly describing the place to be searched, and the persons or things to
be seized.

Amendment V: No person shall be held to answer for a capital, or otherwise infamous crime, unless on a presentment
or indictment of a Grand Jury, except in cases arising in the land or naval forces, or in the Militia, when in
actual service in time of War or public danger; nor shall any person be subject for the same offence to be twice put
in jeopardy of life or limb; nor shall be compelled in any criminal case to be a witness against himself, nor be
deprived of life, liberty, or property, without due process of law; nor shall private property be taken for public
use, without just compensation.

Amendment VI: In all criminal prosecutions, the accused shall enjoy the right to a speedy and public trial, by an
impartial jury of the State and district wherein the crime shall have been committed, which district shall have been
previously ascertained by law, and to be informed of the nature and cause of the accusation; to be confronted with
the witnesses against him; to have compulsory process for obtaining witnesses in his favor, and to have the
Assistance of Counsel for his defence.

Amendment VII: In Suits at common law, where the value in controversy shall exceed twenty dollars, the right of
trial by jury shall be preserved, and no fact tried by a jury, shall be otherwise re-examined in any Court of the
United States, than according to the rules of the common law.

Amendment VIII: Excessive bail shall not be required, nor excessive fines imposed, nor cruel and unusual punishments
inflicted.

Amendment IX: The enumeration in the Constitution, of certain rights, shall not be construed to deny or disparage
others retained by the people.

Amendment X: The powers not delegated to the United States by the Constitution, nor prohibited by it to the States,
are reserved to the States respectively, or to the people.
"""
AMENDMENTS: dict[str, str] = {}
for paragraph in TEXTS.strip().split("\n\n"):
    name, _, text = " ".join(paragraph.split()).partition(": ")
    AMENDMENTS[name] = text
ABOUT = dict.fromkeys(AMENDMENTS, "liberties")
ABOUT |= {f"Amendment {number}": "courts" for number in ("V", "VI", "VII", "VIII")}
ABOUT |= {f"Amendment {number}": "powers" for number in ("IX", "X")}


class Model:
    """Probabilities of the next token by up to `order` tokens before it."""

    def __init__(self, texts: list[list[str]], order: int, vocabulary: set[str]) -> None:
        self.order, self.vocabulary = order, sorted(vocabulary)
        self.counts: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for tokens in texts:
            for i, token in enumerate(tokens):
                for size in range(order + 1):
                    self.counts[self.context(tokens, i, size)][token] += 1

    def context(self, tokens: list[str], i: int, size: int) -> tuple[str, ...]:
        """Return the `size` tokens before token i."""
        before = [START] * max(0, size - i) + tokens[max(0, i - size) : i]
        return tuple(before)

    def next(self, tokens: list[str], i: int) -> dict[str, float]:
        """Return the probability of each token in the place of token i."""
        found = dict.fromkeys(self.vocabulary, 1.0 / len(self.vocabulary))
        for size in range(self.order + 1):
            seen = self.counts.get(self.context(tokens, i, size))
            if seen is None:
                break
            total, kinds = sum(seen.values()), len(seen)
            found = {token: (seen[token] + kinds * p) / (total + kinds) for token, p in found.items()}
        return found


def merged(tokens: list[str], pair: tuple[str, str]) -> list[str]:
    """Return tokens in which each occurrence of a pair is one."""
    found: list[str] = []
    for token in tokens:
        if found and (found[-1], token) == pair:
            found[-1] += token
        else:
            found.append(token)
    return found


def learnt(texts: list[str]) -> list[tuple[str, str]]:
    """Return the pairs to merge: again and again the most frequent one that does not go on after a space."""
    split = [list(text) for text in texts]
    merges: list[tuple[str, str]] = []
    for _ in range(MERGES):
        pairs = Counter(pair for each in split for pair in pairwise(each) if pair[1][0] != " ")
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        split = [merged(each, best) for each in split]
    return merges


def cut(text: str, merges: list[tuple[str, str]]) -> list[str]:
    """Return a text in pieces."""
    tokens = list(text)
    for pair in merges:
        tokens = merged(tokens, pair)
    return tokens


def line(name: str, model: str, tokens: list[str], by: Model) -> dict[str, Any]:
    """Return the line of a log."""
    values: list[float] = []
    tops: list[dict[str, float]] = []
    for i, token in enumerate(tokens):
        found = by.next(tokens, i)
        values.append(round(math.log(found[token]), 6))
        best = sorted(found, key=lambda each: (-found[each], each))[:TOP]
        tops.append({each: round(math.log(found[each]), 3) for each in best})
    about = {"id": name, "model": model, "about": ABOUT[name], "text": AMENDMENTS[name]}
    return about | {"tokens": tokens, "token_logprobs": values, "top_logprobs": tops}


def main() -> None:
    """Write both logs."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else OUT
    letters = {chr(code) for code in range(32, 127)}
    lines: dict[str, list[dict[str, Any]]] = {"characters": [], "pieces": []}
    for name, text in AMENDMENTS.items():
        others = [other for key, other in AMENDMENTS.items() if key != name]
        merges = learnt(others)
        characters = Model([list(other) for other in others], 3, letters)
        pieces = Model([cut(other, merges) for other in others], 1, letters | {a + b for a, b in merges})
        lines["characters"].append(line(name, "characters", list(text), characters))
        lines["pieces"].append(line(name, "pieces", cut(text, merges), pieces))
    for model, found in lines.items():
        data = "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in found).encode()
        (folder / f"amendments_{model}.jsonl.gz").write_bytes(gzip.compress(data, mtime=0))


if __name__ == "__main__":
    main()
