"""How many prompts of a benchmark fit a model's context: every item rendered and tokenised, none answered.

python perf/fit.py --bench rmb --data RMB.tar.xz [--model demo]
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

from grmeval.engines.chat import ChatEncoder
from grmeval.engines.vllm_model import LONGEST_CONTEXT
from grmeval.runs import configure, prepare


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", default="sample")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="demo")
    arguments = parser.parse_args()
    plan = prepare(
        configure(
            {"bench": arguments.bench, "data": arguments.data, "model": arguments.model, "k": 1}
        )
    )
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(plan.model.location, revision=plan.model.revision)
    encode = ChatEncoder(tokenizer, plan.config.chat_template_kwargs)
    context = plan.config.max_model_len or LONGEST_CONTEXT
    room = context - plan.config.max_tokens
    spec = plan.loaded.spec
    sections = {
        item.key: spec.sections[spec.section_of(item.subset)].name for item in plan.loaded.items
    }
    lengths: dict[str, list[int]] = defaultdict(list)
    start = time.perf_counter()
    for request in plan.requests(plan.missing(set())):
        length = len(encode(request.messages))
        lengths[sections[request.key]].append(length)
    seconds = time.perf_counter() - start
    everything = [length for found in lengths.values() for length in found]
    print(
        f"{len(everything):,} prompts, {sum(everything):,} tokens, {seconds:.0f} s; room: {room:,} tokens"
    )
    for name, found in [*sorted(lengths.items()), ("all", everything)]:
        over = sum(length > room for length in found)
        mean = sum(found) / len(found)
        share = over / len(found)
        print(
            f"{name:24} {len(found):6,} prompts, mean {mean:6,.0f}, {over:3} do not fit ({share:.2%})"
        )


if __name__ == "__main__":
    main()
