"""What must not pass: a night of other settings, one that says nothing, one of which little was read."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from grmeval.errors import ConfigError
from grmeval.measure import estimate
from grmeval.score import Gated, baseline_of, compare, gate, read_baseline, write_baseline
from grmeval.score.nightly.silence import surely_more
from grmeval.store import RunFolder
from tests.helpers import sampled
from tests.score.nightly.test_baseline import detection
from tests.score.test_compare import LOST, SILENT, WON, bench, judged, said

NAMES = [f"{at}" for at in range(200)]
LEVEL: Any = [5, 5]


def night(folder: Path, verdicts: Sequence[Any], **settings: Any) -> RunFolder:
    """200 pairs, judged so."""
    folder.mkdir(exist_ok=True)
    return judged(
        bench(folder, [{"id": name} for name in NAMES]), said(NAMES, verdicts), **settings
    )


def right(count: int, of: int = len(NAMES)) -> list[Any]:
    return [WON] * count + [LOST] * (of - count)


def refused(result: Gated) -> str:
    assert result.verdict == "broken"
    assert all(check.kind == "data" for check in result.checks)
    return result.checks[0].said


@pytest.mark.parametrize("read", [1, 5, 20])
def test_a_night_that_drops_nearly_all_does_not_pass(tmp_path: Path, read: int) -> None:
    """79 % right before; now a handful is read, all of it right: "improved, +21", it said."""
    old = baseline_of(night(tmp_path / "old", right(158)), on_invalid="drop")
    silent = [WON] * read + [SILENT] * (len(NAMES) - read)
    result = gate(night(tmp_path / "new", silent), old, max_drop=0.02)
    assert result.verdict == "regressed"
    told = {check.name: check.value for check in result.checks if check.verdict == "regressed"}
    silence = 1 - read / len(NAMES)
    assert told == {"invalid judgements": silence, "undecided votes": silence}
    (overall,) = [check for check in result.checks if check.kind == "overall"]
    assert overall.verdict == "inconclusive"  # of the pairs that both could read
    assert (overall.baseline, overall.value) == (1.0, 1.0)


SECTIONS = "".join(
    f'[[sections]]\nname = "{name}"\nsubsets = ["{name.lower()}"]\n' for name in ("Big", "Small")
)


def in_sections(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """Two sections, Big and Small, each half of the number."""
    folder.mkdir()
    path = bench(folder, rows)
    path.write_text('overall = "mean"\n' + path.read_text() + SECTIONS)
    return path


def test_a_section_without_labels_is_silent_about_nothing(tmp_path: Path) -> None:
    """Its rows get votes and no verdict: it has no number, and none of its silence."""
    rows: list[dict[str, Any]] = [{"id": f"b{at}", "subset": "big"} for at in range(20)]
    rows += [{"id": f"s{at}", "subset": "small", "quality": None} for at in range(5)]
    names = [row["id"] for row in rows]
    verdicts = [WON] * 15 + [LOST] * 5 + [SILENT] * 5
    folder = judged(in_sections(tmp_path / "r", rows), said(names, verdicts))
    write_baseline(baseline_of(folder), tmp_path / "base.json")
    assert gate(folder, read_baseline(tmp_path / "base.json"), max_drop=0.9).verdict == "passed"


@pytest.mark.parametrize("level", ["overall", "section"])
def test_a_baseline_that_hides_its_silence_is_no_baseline(tmp_path: Path, level: str) -> None:
    rows = [{"id": f"{name}{at}", "subset": name} for name in ("big", "small") for at in range(9)]
    names = [row["id"] for row in rows]
    path = in_sections(tmp_path / "r", rows)
    folder = judged(path, said(names, [WON] * 18))
    write_baseline(baseline_of(folder), tmp_path / "base.json")
    known = json.loads((tmp_path / "base.json").read_text())
    for figure in known["figures"]:
        if figure["level"] == level:
            figure["undecided"] = None
    (tmp_path / "base.json").write_text(json.dumps(known))
    told = refused(gate(folder, read_baseline(tmp_path / "base.json"), max_drop=0.9))
    assert "how much of it was silent" in told


@pytest.mark.parametrize("rule", ["drop", "half"])
def test_a_small_heavy_section_that_is_silent_does_not_pass(tmp_path: Path, rule: str) -> None:
    """Half of the number is of 60 pairs: their silence is 9 % of the items, and 36 points of the number."""
    names = [f"big{at}" for at in range(400)] + [f"small{at}" for at in range(60)]
    rows = [{"id": name, "subset": name.rstrip("0123456789")} for name in names]

    def run(place: str, small: list[Any]) -> RunFolder:
        path = in_sections(tmp_path / place, rows)
        return judged(path, said(names, [WON] * 360 + [LOST] * 40 + small))

    old = baseline_of(run("old", [WON] * 30 + [LOST] * 30), on_invalid=rule)
    new = run("new", [WON] * 17 + [SILENT] * 43)
    result = gate(new, old, max_drop=0.25, max_drop_section=0.5)
    assert result.verdict == "regressed"
    told = {check.name for check in result.checks if check.verdict == "regressed"}
    assert {"undecided votes", "undecided votes of Small"} <= told


@pytest.mark.parametrize("items", [10, 28, 75])
def test_honest_nights_are_not_called_silent(items: int) -> None:
    """A third of few votes ties, in both nights: against a fixed share 10 % of nights of 10 were alarms."""
    rng, nights, alarms = np.random.default_rng(items), 2000, 0
    apart, one = np.arange(items), np.ones(items)
    for old, new in rng.random((nights, 2, items)) < 1 / 3:
        then, now = (
            estimate(tied.astype(float), one, apart, 0 * apart, np.ones(1), 0.9)
            for tied in (old, new)
        )
        alarms += surely_more(now, (then.value, then.high), 0.05)
    assert alarms <= binom.ppf(0.999, nights, 0.05)


def test_its_own_run_is_said(tmp_path: Path) -> None:
    folder = night(tmp_path / "r", right(158))
    assert any("IS the baseline's" in line for line in gate(folder, baseline_of(folder)).footer)


def test_an_area_of_four_responses_does_not_pass(tmp_path: Path) -> None:
    old = sampled(tmp_path / "old", k=2, **detection(tmp_path))
    args = {"no_score": 0.93}
    few = sampled(tmp_path / "new", k=2, seed=1, engine_args=args, **detection(tmp_path))
    result = gate(few, baseline_of(old, on_invalid="drop"), max_drop=0.1)
    assert result.verdict in ("regressed", "broken")


@pytest.mark.parametrize("rule", ["half", "share"])
@pytest.mark.parametrize("verdict", [SILENT, LEVEL])
def test_a_night_that_says_nothing_does_not_pass(tmp_path: Path, rule: str, verdict: Any) -> None:
    """Half of the baseline was right: what silence and ties are paid is as much."""
    old = baseline_of(night(tmp_path / "old", right(100)), ties=rule, on_invalid=rule)
    new = night(tmp_path / "new", [verdict] * len(NAMES))
    result = gate(new, old, max_drop=0.2)
    assert result.verdict == "regressed"
    assert next(c for c in result.checks if c.kind == "overall").verdict == "passed"
    told = next(c for c in result.checks if c.name == "undecided votes")
    assert (told.value, told.limit, told.verdict) == (1.0, 0.05, "regressed")


def test_as_many_ties_as_the_baseline_has_are_no_alarm(tmp_path: Path) -> None:
    verdicts = [*right(120, 150), *[LEVEL] * 30, *[SILENT] * 20]
    old = baseline_of(night(tmp_path / "old", verdicts), ties="half", on_invalid="half")
    share, high = old.figures[0].undecided or (0, 0)
    assert share == 0.25 < high < 0.32
    assert gate(night(tmp_path / "new", verdicts[::-1]), old, max_drop=0.5).verdict == "passed"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"temperature": 2.0}, "temperature 2.0 here, 0.5 in the baseline"),
        ({"top_p": 0.9}, "top_p 0.9 here, 1.0 in the baseline"),
        ({"max_tokens": 64}, "max_tokens 64 here, 1024 in the baseline"),
        ({"orders": "random"}, "orders random here, balanced in the baseline"),
        ({"judge": "pointwise-plain"}, "judge pointwise-plain here, pointwise in the baseline"),
    ],
)
def test_a_night_of_other_settings_is_no_night(tmp_path: Path, change: Any, said: str) -> None:
    base = sampled(tmp_path / "old", k=2)
    file = tmp_path / "base.json"
    write_baseline(baseline_of(base), file)
    new = sampled(tmp_path / "new", k=2, **change)
    result = gate(new, read_baseline(file), max_drop=0.99)
    told = refused(result)
    assert said in told
    names = told.split("--allow-change ")[1:]
    allow = [name.split(" ")[0].rstrip(",") for name in names]
    passed = gate(new, read_baseline(file), max_drop=0.99, allow=allow)
    assert passed.verdict == "passed"
    assert f"allowed to change: {said}" in passed.footer


def test_another_template_is_another_judge(tmp_path: Path) -> None:
    from grmeval import resources

    own = (resources.tasks() / "templates" / "pointwise.jinja").read_text(encoding="utf-8")
    (tmp_path / "mine.jinja").write_text(own + "\n", encoding="utf-8")
    old = baseline_of(sampled(tmp_path / "old", k=1))
    new = sampled(tmp_path / "new", k=1, template=tmp_path / "mine.jinja")
    assert refused(gate(new, old, max_drop=0.99)).startswith("template ")


def test_no_setting_of_that_name(tmp_path: Path) -> None:
    folder = sampled(tmp_path / "r", k=1)
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        gate(folder, baseline_of(folder), allow=["temprature"])


def test_another_threshold_is_another_number(tmp_path: Path) -> None:
    """A TOML threshold moved from 5.5 to 6.5 turned -10 points into "improved +30"."""
    rows = [{"id": f"{at}", "responses": ["a"], "quality": [at % 2]} for at in range(20)]
    runs = []
    for threshold in (5.5, 6.5):
        folder = tmp_path / f"{threshold}"
        path = bench(folder, rows)
        path.write_text(f"threshold = {threshold}\n" + path.read_text())
        runs.append(judged(path, {f"{at}": [[6]] for at in range(20)}))
    with pytest.raises(ConfigError, match="threshold changed"):
        compare(*runs)
    assert "threshold changed since the baseline" in refused(
        gate(runs[1], baseline_of(runs[0]), max_drop=0.99)
    )


def test_figures_that_its_credits_do_not_give_are_no_baseline(tmp_path: Path) -> None:
    folder = night(tmp_path / "old", right(158))
    file = tmp_path / "base.json"
    write_baseline(baseline_of(folder), file)
    known = json.loads(file.read_text())
    known["figures"][0]["value"] -= 0.3
    file.write_text(json.dumps(known))
    told = refused(gate(folder, read_baseline(file), max_drop=0.5))
    assert "overall is 0.49" in told
    assert "in its figures, and 0.79 by its credits" in told


def test_file_and_memory_agree_to_the_last_digit(tmp_path: Path) -> None:
    """One item, a vote of 3 of 7 samples: credits were rounded in the file, and differed."""
    base = sampled(tmp_path / "r", k=7, limit=1)
    made = baseline_of(base, k=3)
    write_baseline(made, tmp_path / "base.json")
    read = read_baseline(tmp_path / "base.json")
    assert read.about == made.about
    assert read.column.credit.tolist() == made.column.credit.tolist()
    one, other = (gate(base, each, max_drop=0.01) for each in (made, read))
    assert replace(one, about={}) == replace(other, about={})
    assert one.verdict == "inconclusive"
