"""What a job of a suite would still ask: judgements, tokens, GPU time; measured where it can be."""

from dataclasses import dataclass
from pathlib import Path

from grmeval.benches import find_spec
from grmeval.config import RunConfig
from grmeval.engines.engine import about_tokens
from grmeval.judges import JUDGES
from grmeval.runs.forecast import MEASURED_FROM, Missing, expected_output
from grmeval.runs.plan import Plan
from grmeval.runs.sample import estimate
from grmeval.runs.stopping import still_missing
from grmeval.runs.suite.file import Estimates
from grmeval.store import RewardFile, RunFolder

__all__ = ["Work", "unseen_work", "work_of"]


@dataclass(frozen=True)
class Work:
    """What is still to be asked: judgements of `items` items, their tokens, and seconds of one GPU.

    `prompt_tokens` (a meta RM's too) None: the rows are not here to be counted. `measured`: by this run's
    own launches, else assumed.
    """

    items: int
    samples: int
    prompt_tokens: int | None
    tokens: int
    seconds: float
    measured: bool

    @property
    def done(self) -> bool:
        """Nothing is to be asked, of judge or meta RM."""
        return self.samples == 0 and self.prompt_tokens == 0


def unseen_work(config: RunConfig, assumed: Estimates) -> Work:
    """The rows are not here: as many as the benchmark says there are, in its own layout."""
    spec, _ = find_spec(config.bench)
    items = min(sum(spec.expected.values()), config.limit or 2**31)
    samples = items * config.k
    tokens = _generated(config, samples, assumed)
    return Work(items, samples, None, tokens, tokens / assumed.generated_per_second, False)


def work_of(plan: Plan, path: Path | None, meta: str | None, assumed: Estimates) -> Work:
    """What a run at `path`, if there is one, still lacks of its plan, and of rewards of `meta`."""
    folder = RunFolder(path) if path and (path / "run.json").exists() else None
    missing = still_missing(plan, folder, folder.done() if folder else set())
    measured = _measured(plan, missing, folder) if missing and folder and not meta else None
    if measured:
        return measured
    judged = estimate(plan, missing, 0, about_tokens) if missing else None
    samples = judged.samples if judged else 0
    # Where other runs tell how long judgements are, nothing is assumed of that.
    if (missing or meta) and (seen := expected_output(plan)):
        assumed = assumed.model_copy(update={"generated": seen.tokens})
    tokens = _generated(plan.config, samples, assumed)
    prompts = (judged.prompt_tokens if judged else 0) + (_meta_tokens(plan, folder, meta, assumed))
    seconds = tokens / assumed.generated_per_second + prompts / assumed.prompt_per_second
    return Work(judged.items if judged else 0, samples, prompts, tokens, seconds, False)


def _measured(plan: Plan, missing: Missing, folder: RunFolder) -> Work | None:
    """By what this run's judgements took so far, where there are enough of them."""
    timed = (each for each in folder.record["launches"] if "sample_seconds" in each)
    launches = [each for each in timed if each["samples"]]
    made = sum(each["samples"] for each in launches)
    if made < MEASURED_FROM:
        return None
    found = estimate(plan, missing, 0, about_tokens)
    share = found.samples / made
    tokens = share * sum(each["tokens"] for each in launches)
    seconds = share * sum(each["sample_seconds"] * each.get("devices", 1) for each in launches)
    return Work(found.items, found.samples, found.prompt_tokens, round(tokens), seconds, True)


def _meta_tokens(plan: Plan, folder: RunFolder | None, meta: str | None, assumed: Estimates) -> int:
    """A meta RM reads each prompt again, with one judgement, where that has no reward yet."""
    if meta is None:
        return 0
    done = RewardFile(folder.path, meta).done() if folder else ()
    whole = plan.missing(())
    wanted = sum(len(js) for _, js in whole) - len(done)
    if wanted <= 0:
        return 0
    found = estimate(plan, whole, 0, about_tokens)
    each = found.prompt_tokens / found.prompts + min(assumed.generated, plan.config.max_tokens)
    return round(wanted * each)


def _generated(config: RunConfig, samples: int, assumed: Estimates) -> int:
    if JUDGES[config.judge].head:
        return 0
    return round(samples * min(assumed.generated, config.max_tokens))
