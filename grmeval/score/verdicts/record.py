"""A question to a run: what is not said is as in its record; and what the record is after it.

The law: the record moves when all of a larger question's samples are there, or by --save; else it stays.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from grmeval.score.verdicts.rules import PROTOCOLS, Rules
from grmeval.score.verdicts.votes import check_votes, own_votes
from grmeval.store import Question, RunFolder, covers, record_of, size_of

__all__ = ["ask", "grown", "is_record", "rules_of", "same", "told"]


def ask(
    folder: RunFolder,
    *,
    k: int | None = None,
    limit: int | None = None,
    votes: Sequence[str] | None = None,
    protocol: str | None = None,
    ties: str | None = None,
    on_invalid: str | None = None,
    k_meta: int | None = None,
) -> Question:
    """The whole question, with every word resolved. ConfigError: no such vote or rule.

    Votes go with their k_meta, and the three words of the rules together: who says one of them says all.
    """
    before, spec = record_of(folder), folder.record["spec"]
    usual = before.votes or own_votes(folder.record["identity"])[:1]
    if votes is None and k_meta is None:
        k_meta = before.k_meta
    if protocol is None and ties is None and on_invalid is None:
        rules = rules_of(spec, before)
    else:
        rules = Rules.choose(spec, protocol or "official", ties, on_invalid)
    return Question(
        k=k or before.k,
        limit=limit or before.limit,
        votes=check_votes(votes or usual, k_meta),
        ties=rules.ties,
        on_invalid=rules.on_invalid,
        k_meta=k_meta,
    )


def rules_of(spec: Mapping[str, Any], question: Question) -> Rules:
    """The rules of a question, and whose they are."""
    words = question.ties, question.on_invalid
    paper = words == (PROTOCOLS["paper"],) * 2
    return Rules.choose(spec, "paper" if paper else "official", *words)


def same(one: Question, other: Question, size: int) -> bool:
    """Whether two questions have one answer, of `size` items that there are."""
    alike = one._replace(limit=None) == other._replace(limit=None)
    return alike and covers(one, other, size) and covers(other, one, size)


def is_record(folder: RunFolder, question: Question | None) -> bool:
    """Whether a question is that of a run's record; a run without saved tables has what it was asked."""
    return question is not None and same(question, ask(folder), size_of(folder))


def grown(before: Question, asked: Question, size: int) -> Question:
    """The record after a larger question: its samples and items, and the votes that it adds.

    A smaller one, other rules, or votes that do not begin with the record's, leave what there was.
    """
    after = before
    if covers(asked, before, size):
        after = after._replace(k=asked.k, limit=asked.limit)
    added = asked.votes[: len(before.votes)] == before.votes
    if added and (asked.ties, asked.on_invalid) == (before.ties, before.on_invalid):
        guided = before.k_meta if len(asked.votes) == len(before.votes) else asked.k_meta
        after = after._replace(votes=asked.votes, k_meta=guided)
    return after


def told(question: Question, beside: Question | None = None) -> str:
    """A question in words; its rules only where they are not those of the one beside it."""
    items = "all items" if question.limit is None else f"--limit {question.limit}"
    votes = f"vote{'s' * (len(question.votes) > 1)} {', '.join(question.votes)}"
    words = [f"k={question.k}", items, votes]
    if beside and beside.k_meta != question.k_meta:
        kept = "half of k" if question.k_meta is None else question.k_meta
        words.append(f"k_meta {kept}")
    if beside and (beside.ties, beside.on_invalid) != (question.ties, question.on_invalid):
        words += [f"ties {question.ties}", f"on-invalid {question.on_invalid}"]
    return ", ".join(words)
