"""The options of the long commands under headings: `run`, `plan` and `meta-score`."""

from typing import Any

from typer.core import TyperCommand

__all__ = ["HEADINGS", "UnderHeadings"]

HEADINGS = {
    "What is judged": ("bench", "data", "layout", "subset", "section"),
    "Which model": (
        *("model", "revision", "lora", "trust_remote_code", "dtype", "max_model_len"),
        "engine_args",
    ),
    "Who answers": (
        *("engine", "tensor_parallel", "data_parallel"),
        *("base_url", "model_tag", "concurrency", "allow_identical"),
        *("replicas", "ray_address", "shard", "gpu"),
    ),
    "How it is asked": (
        *("judge", "principles", "critiques", "template", "system", "chat_template_kwargs"),
        *("structured", "stop_at_score", "temperature", "greedy", "top_p", "max_tokens", "orders"),
    ),
    "How many samples": (
        "k",
        "no_hinted",
        "adaptive",
        "k_min",
        "epsilon",
        "limit",
        "limit_seed",
        "seed",
    ),
    "A meta RM": ("keep_logprob", "meta_model", "meta_template", "meta_engine_args", "k_meta"),
    "Score and rules": ("vote", "protocol", "ties", "on_invalid", "prices", "beside"),
    "Settings and output": ("config", "results", "name", "save", "to", "as_json", "help"),
}
"""Heading -> parameters, in the order of the help text."""


class UnderHeadings(TyperCommand):
    """Its help text has its options under HEADINGS."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then each heading's options."""
        records = {
            param.name: (param.param_type_name, record)
            for param in self.get_params(ctx)
            if (record := param.get_help_record(ctx))
        }
        words = [record for kind, record in records.values() if kind == "argument"]
        sections = {"Arguments": words} | {
            heading: [records[name][1] for name in names if name in records]
            for heading, names in HEADINGS.items()
        }
        for heading, found in sections.items():
            if found:
                with formatter.section(heading):
                    formatter.write_dl(found)
