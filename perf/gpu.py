"""On an NVIDIA GPU: tokens/s of the packaged model through vLLM, and its share of the bandwidth bound.

Without one the same is done on the CPU, to see that it runs.

    python perf/gpu.py [--model demo] [--prompts 512] [--tokens 256]

The bound is what reading the weights once a step, and every running sample's KV cache, allows at the
bandwidth that a plain copy reaches on the same GPU.
"""

import argparse
import time
from typing import Any


def bandwidth() -> float:
    """Bytes/s of a copy inside the device's memory, reads and writes counted."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    source = torch.empty(2**28 if device == "cuda" else 2**24, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    wait = torch.cuda.synchronize if device == "cuda" else torch.cpu.synchronize
    wait()
    start = time.perf_counter()
    for _ in range(20):
        target.copy_(source)
    wait()
    return float(20 * 2 * source.nbytes / (time.perf_counter() - start))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="demo")
    parser.add_argument("--prompts", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=256)
    arguments = parser.parse_args()
    import torch

    speed = bandwidth()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    from transformers import AutoConfig
    from vllm import SamplingParams

    from grmeval.engines import Sampling
    from grmeval.engines.models import resolve
    from grmeval.engines.settings import ModelSettings
    from grmeval.engines.vllm import VllmEngine

    model = resolve(arguments.model, None)
    config: Any = AutoConfig.from_pretrained(
        model.location, revision=model.revision
    ).get_text_config()
    dtype = "bfloat16" if torch.cuda.is_available() else "float32"
    settings = ModelSettings(model.location, model.revision, dtype=dtype, max_model_len=4096)
    llm = VllmEngine(settings, Sampling(0.5, 1.0, arguments.tokens), seed=0)._llm
    prompts = [
        f"Question {i}: grade the two answers below, step by step. " * 8
        for i in range(arguments.prompts)
    ]
    parameters = SamplingParams(temperature=0.5, max_tokens=arguments.tokens, ignore_eos=True)
    llm.generate(prompts[:8], parameters, use_tqdm=False)
    llm.reset_prefix_cache()
    start = time.perf_counter()
    outputs = llm.generate(prompts, parameters, use_tqdm=False)
    seconds = time.perf_counter() - start
    new = sum(len(output.outputs[0].token_ids) for output in outputs)
    prompt = sum(len(output.prompt_token_ids or []) for output in outputs) / len(outputs)
    weights = 2 * sum(_sizes(config))
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    kv = 2 * 2 * config.num_hidden_layers * config.num_key_value_heads * head
    running = min(len(prompts), llm.llm_engine.vllm_config.scheduler_config.max_num_seqs)
    step = (weights + running * kv * (prompt + arguments.tokens / 2)) / speed
    bound = running / step
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU, not a GPU"
    print(f"{name}: copy {speed / 1e9:,.0f} GB/s")
    print(f"{len(prompts)} prompts of {prompt:.0f} tokens, {arguments.tokens} new: {seconds:.2f} s")
    print(
        f"{new / seconds:,.0f} tokens/s; bandwidth bound {bound:,.0f}; share {new / seconds / bound:.1%}"
    )


def _sizes(config: Any) -> tuple[int, ...]:
    """Parameters of a Llama-like model: embedding, and per layer attention and MLP."""
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    width, layers = config.hidden_size, config.num_hidden_layers
    attention = 2 * width * head * (config.num_attention_heads + config.num_key_value_heads)
    return (
        config.vocab_size * width,
        layers * attention,
        layers * 3 * width * config.intermediate_size,
    )


if __name__ == "__main__":
    main()
